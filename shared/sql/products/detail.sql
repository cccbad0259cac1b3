-- One product: what it is, its sales of `measured`, who buys it, at which prices, and what with. There is always one row; the
-- last thing seen says whether anybody knows the product.
WITH asked AS (
    SELECT
        $product[1]                                                                              AS product_id,
        EXISTS (FROM products WHERE products.product_id = $product[1])
            OR EXISTS (FROM order_items WHERE order_items.product_id = $product[1])              AS is_known
),

buyers AS (
    SELECT
        customer_id,
        count(DISTINCT order_id) FILTER (is_order)         AS orders,
        greatest(sum(gross_sales - discounts + returns), 0)    AS earned
    FROM sold
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id
),

-- What lies before a customer decides whether they are still among those who make up 80 %.
ranked_buyers AS (
    SELECT
        *,
        sum(earned) OVER () * 80                                                                        AS most,
        (sum(earned) OVER (ORDER BY earned DESC, customer_id ROWS UNBOUNDED PRECEDING) - earned) * 100  AS before
    FROM buyers
),

buyer_counts AS (
    SELECT
        count(*) FILTER (orders >= 2)                         AS repeat_customers,
        count(*) FILTER (earned > 0 AND before < most)        AS top_customers
    FROM ranked_buyers
),

prices AS (
    SELECT
        round(gross_sales / units, 4)::DECIMAL(18, 4)         AS unit_price,
        sum(units)::BIGINT                                    AS units,
        count(DISTINCT order_id)                              AS orders,
        min(local_at)::DATE::VARCHAR                          AS first_sold,
        max(local_at)::DATE::VARCHAR                          AS last_sold
    FROM sold
    WHERE is_order AND units > 0
    GROUP BY ALL
    ORDER BY units DESC, unit_price
    LIMIT $max_prices
),

price_points AS (
    SELECT list(prices ORDER BY unit_price) AS price_points
    FROM prices
),

partners AS (
    SELECT
        product_id,
        name,
        together                                   AS orders,
        round(score, 6)::DECIMAL(9, 6)             AS confidence
    FROM bought_together
    LEFT JOIN products USING (product_id)
    WHERE product_id <> $product[1] AND together >= $min_together
    ORDER BY score DESC, product_id
    LIMIT $max_partners
),

bought_with AS (
    SELECT list(partners ORDER BY confidence DESC, product_id) AS bought_together
    FROM partners
),

times AS (
    SELECT
        min(local_at) FILTER (is_order)::DATE::VARCHAR    AS first_sold,
        max(local_at) FILTER (is_order)::DATE::VARCHAR    AS last_sold
    FROM sold
)

SELECT
    asked.product_id                                              AS product_id,
    products.name                                                 AS product_name,
    coalesce(categories.name, products.category)                  AS category,
    products.brand                                                AS brand,
    coalesce(products.kind, 'goods')                              AS product_kind,
    products.price                                                AS list_price,
    times.first_sold                                              AS first_sold,
    times.last_sold                                               AS last_sold,
    coalesce(gross_sales, 0)::DECIMAL(18, 4)                      AS gross_sales,
    coalesce(discounts, 0)::DECIMAL(18, 4)                        AS discounts,
    coalesce(returns, 0)::DECIMAL(18, 4)                          AS returns,
    coalesce(adjustments, 0)::DECIMAL(18, 4)                      AS adjustments,
    coalesce(net_sales, 0)::DECIMAL(18, 4)                        AS net_sales,
    coalesce(net_sales_previous, CASE WHEN $has_earlier THEN 0 END)::DECIMAL(18, 4) AS net_sales_previous,
    trend,
    measured.cost                                                 AS cost,
    margin,
    margin_rate,
    coalesce(units, 0)                                            AS units,
    coalesce(returned_units, 0)                                   AS returned_units,
    return_rate,
    coalesce(measured.orders, 0)                                  AS orders,
    coalesce(measured.customers, 0)                               AS customers,
    repeat_customers,
    top_customers,
    views,
    views_to_buy,
    coalesce(price_points, [])                                    AS price_points,
    coalesce(bought_together, [])                                 AS bought_together,
    list_append(list_concat(whole.seen, (SELECT any_value(seen) FROM earlier)), is_known::VARCHAR) AS _seen
FROM asked
CROSS JOIN whole
CROSS JOIN buyer_counts
CROSS JOIN price_points
CROSS JOIN bought_with
CROSS JOIN times
LEFT JOIN measured ON measured.product_id = asked.product_id
LEFT JOIN products ON products.product_id = asked.product_id
LEFT JOIN categories ON categories.category_id = products.category_id
ORDER BY product_id
