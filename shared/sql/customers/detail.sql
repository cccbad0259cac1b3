-- One customer: who it is, what was bought and when, how that compares, and when the next order would come.
WITH asked AS (
    SELECT
        $customer_id                                                          AS customer_id,
        EXISTS (FROM customers WHERE customer_id = $customer_id)
            OR EXISTS (FROM orders WHERE customer_id = $customer_id)          AS is_known,
        EXISTS (FROM totals WHERE customer_id = $customer_id)                 AS has_sales
),

typical AS (
    SELECT median(gap) AS gap
    FROM gaps
    WHERE customer_id = $customer_id
),

-- Every order in its own currency.
recent_orders AS (
    SELECT list(one ORDER BY ordered_at DESC, order_id)[:$orders] AS orders
    FROM (
        SELECT
            ordered_at,
            order_id,
            {
                'order_id': order_id,
                'ordered_at': strftime(make_timestamp(epoch_us(ordered_at)), '%Y-%m-%dT%H:%M:%SZ'),
                'net_sales': sum(gross_sales - discounts + returns)::DECIMAL(18, 4),
                'currency': currency,
                'units': sum(units)::BIGINT
            } AS one
        FROM teal.order_totals
        WHERE customer_id = $customer_id AND order_has_sale AND ($to_at::TIMESTAMPTZ IS NULL OR ordered_at < $to_at)
        GROUP BY order_id, ordered_at, currency
    )
),

bought AS (
    SELECT
        items.product_id,
        any_value(products.name)        AS name,
        count(DISTINCT items.order_id)  AS orders,
        sum(items.quantity)             AS units
    FROM order_items AS items
    INNER JOIN orders USING (order_id)
    LEFT JOIN products ON products.product_id = items.product_id
    WHERE orders.customer_id = $customer_id
        AND items.line_type = 'sale'
        AND items.product_id IS NOT NULL
        AND coalesce(items.kind, products.kind, 'goods') = 'goods'
        AND coalesce(lower(orders.status) NOT IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), true)
        AND ($to_at::TIMESTAMPTZ IS NULL OR orders.ordered_at < $to_at)
    GROUP BY items.product_id
),

favourites AS (
    SELECT
        list(
            {'product_id': product_id, 'name': name, 'orders': orders, 'units': units::BIGINT}
            ORDER BY orders DESC, units DESC, product_id
        )[:$products] AS products
    FROM bought
)

SELECT
    asked.customer_id                                                   AS customer_id,
    CASE WHEN $sees_personal THEN customers.name END                    AS label,
    CASE WHEN $sees_personal THEN customers.email END                   AS email,
    customers.country                                                   AS country,
    coalesce(totals.orders, 0)                                          AS orders,
    coalesce(totals.units, 0)                                           AS units,
    coalesce(totals.gross_sales, 0)::DECIMAL(18, 4)                     AS gross_sales,
    coalesce(totals.returns, 0)::DECIMAL(18, 4)                         AS returns,
    coalesce(totals.net_sales, 0)::DECIMAL(18, 4)                       AS net_sales,
    totals.first_day                                                    AS first_order,
    segmented.last_order                                                AS last_order,
    segmented.recency_days                                              AS recency_days,
    r_score,
    f_score,
    m_score,
    r_score || '' || f_score || m_score                                 AS rfm,
    CASE WHEN has_sales THEN segmented.segment ELSE 'Prospects' END     AS segment,
    round(typical.gap / 86400000000, 4)::DECIMAL(18, 4)                 AS median_days_between,
    (totals.last_local + to_microseconds(typical.gap::BIGINT))::DATE    AS next_order,
    coalesce(recent_orders.orders, [])                                  AS recent_orders,
    coalesce(favourites.products, [])                                   AS favourite_products,
    round(worth.alive, 6)                                               AS alive,
    round(worth.expected_orders, 6)                                     AS expected_orders,
    worth.lifetime_value                                                AS lifetime_value,
    worth.tier                                                          AS tier,
    list_append(seen, CASE WHEN is_known OR has_sales THEN 'known' END) AS _seen
FROM asked
CROSS JOIN whole
CROSS JOIN typical
CROSS JOIN recent_orders
CROSS JOIN favourites
LEFT JOIN worth ON true
LEFT JOIN (FROM with_days WHERE customer_id = $customer_id) AS totals ON true
LEFT JOIN (FROM segmented WHERE customer_id = $customer_id) AS segmented ON true
LEFT JOIN (FROM customers WHERE customer_id = $customer_id) AS customers ON true
ORDER BY asked.customer_id
