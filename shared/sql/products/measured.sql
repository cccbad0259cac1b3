-- One row for each product to which something happened: its sales of `metrics` with its name and cost, its net sales of
-- `earlier` and its `views`. A cost in another currency than the amounts is as good as none.
WITH happened AS (
    SELECT bucket AS product_id, * EXCLUDE (bucket), NULL AS net_sales_previous, NULL AS views
    FROM metrics
    UNION ALL BY NAME
    SELECT product_id, net_sales AS net_sales_previous
    FROM earlier
    UNION ALL BY NAME
    SELECT product_id, views
    FROM views
),

added_up AS (
    SELECT
        product_id,
        coalesce(sum(gross_sales), 0)::DECIMAL(18, 4)                                  AS gross_sales,
        coalesce(sum(discounts), 0)::DECIMAL(18, 4)                                    AS discounts,
        coalesce(sum(returns), 0)::DECIMAL(18, 4)                                      AS returns,
        coalesce(sum(adjustments), 0)::DECIMAL(18, 4)                                  AS adjustments,
        coalesce(sum(net_sales), 0)::DECIMAL(18, 4)                                    AS net_sales,
        coalesce(sum(units), 0)::BIGINT                                                AS units,
        coalesce(sum(returned_units), 0)::BIGINT                                       AS returned_units,
        coalesce(sum(orders), 0)::BIGINT                                               AS orders,
        coalesce(sum(customers), 0)::BIGINT                                            AS customers,
        CASE WHEN $has_earlier THEN coalesce(sum(net_sales_previous), 0) END::DECIMAL(18, 4) AS net_sales_previous,
        CASE WHEN (SELECT count(*) > 0 FROM views) THEN coalesce(sum(views), 0) END::BIGINT  AS views,
        max(lowest_currency)                                                           AS currency
    FROM happened
    WHERE product_id IS NOT NULL
    GROUP BY product_id
),

named AS (
    SELECT
        added_up.*,
        products.name                                     AS product_name,
        coalesce(categories.name, products.category)      AS category,
        CASE
            WHEN coalesce(upper(products.currency), $default_currency) = coalesce(added_up.currency, $default_currency)
                THEN products.cost
        END                                               AS cost
    FROM added_up
    LEFT JOIN products USING (product_id)
    LEFT JOIN categories USING (category_id)
)

SELECT
    *,
    round(returned_units / nullif(units, 0), 6)::DECIMAL(18, 6)                                AS return_rate,
    (net_sales - cost * (units - returned_units))::DECIMAL(38, 4)                              AS margin,
    round(margin / nullif(greatest(net_sales, 0), 0), 6)::DECIMAL(18, 6)                       AS margin_rate,
    round(views / nullif(orders, 0), 4)::DECIMAL(18, 4)                                        AS views_to_buy,
    round((net_sales - net_sales_previous) / nullif(greatest(net_sales_previous, 0), 0), 6)::DECIMAL(18, 6) AS trend
FROM named
