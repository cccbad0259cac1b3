-- The sales metrics of each group of `facts` (column `bucket`): every order is added up first, so that an order with a sale
-- counts once and AOV is net sales of such orders per order.
SELECT
    bucket,
    sum(gross_sales)::DECIMAL(18, 4)                                     AS gross_sales,
    sum(discounts)::DECIMAL(18, 4)                                       AS discounts,
    sum(returns)::DECIMAL(18, 4)                                         AS returns,
    sum(adjustments)::DECIMAL(18, 4)                                     AS adjustments,
    sum(gross_sales - discounts + returns + adjustments)::DECIMAL(18, 4) AS net_sales,
    sum(tax)::DECIMAL(18, 4)                                             AS tax,
    sum(shipping)::DECIMAL(18, 4)                                        AS shipping,
    sum(gross_sales - discounts + returns + adjustments + tax + shipping)::DECIMAL(18, 4) AS total_sales,
    count(*) FILTER (has_sale)                                           AS orders,
    count(DISTINCT customer_id) FILTER (has_sale)                        AS customers,
    sum(units)::BIGINT                                                   AS units,
    sum(returned_units)::BIGINT                                          AS returned_units,
    round(
        sum(gross_sales - discounts + returns) FILTER (has_sale) / nullif(count(*) FILTER (has_sale), 0), 4
    )::DECIMAL(18, 4)                                                    AS aov
FROM (
    SELECT
        bucket,
        order_id,
        any_value(customer_id)                                                     AS customer_id,
        bool_or(line_type = 'sale')                                                AS has_sale,
        coalesce(sum(amount) FILTER (line_type = 'sale'), 0)                       AS gross_sales,
        coalesce(sum(discount) FILTER (line_type IN ('sale', 'order')), 0)         AS discounts,
        coalesce(sum(amount - discount) FILTER (line_type = 'return'), 0)          AS returns,
        coalesce(sum(amount - discount) FILTER (line_type = 'adjustment'), 0)      AS adjustments,
        sum(tax)                                                                   AS tax,
        sum(shipping)                                                              AS shipping,
        coalesce(sum(units) FILTER (line_type = 'sale'), 0)                        AS units,
        coalesce(-sum(units) FILTER (line_type = 'return'), 0)                     AS returned_units
    FROM buckets
    GROUP BY bucket, order_id
)
GROUP BY bucket
