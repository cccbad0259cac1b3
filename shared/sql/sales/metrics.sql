-- The sales metrics of each group of `buckets`, in one pass. AOV is net sales of the orders with a sale, per such order.
-- The last columns tell whether the amounts may be added up: lowest and highest currency, and a missing exchange rate.
SELECT
    bucket,
    gross_sales::DECIMAL(18, 4)                                                              AS gross_sales,
    discounts::DECIMAL(18, 4)                                                                AS discounts,
    returns::DECIMAL(18, 4)                                                                  AS returns,
    adjustments::DECIMAL(18, 4)                                                              AS adjustments,
    (gross_sales - discounts + returns + adjustments)::DECIMAL(18, 4)                        AS net_sales,
    tax::DECIMAL(18, 4)                                                                      AS tax,
    shipping::DECIMAL(18, 4)                                                                 AS shipping,
    (gross_sales - discounts + returns + adjustments + tax + shipping)::DECIMAL(18, 4)       AS total_sales,
    orders,
    customers,
    units::BIGINT                                                                            AS units,
    returned_units::BIGINT                                                                   AS returned_units,
    round(net_of_orders / nullif(orders, 0), 4)::DECIMAL(18, 4)                              AS aov,
    lowest_currency,
    highest_currency,
    missing_rate
FROM (
    SELECT
        bucket,
        sum(gross_sales)                                                     AS gross_sales,
        sum(discounts)                                                       AS discounts,
        sum(returns)                                                         AS returns,
        sum(adjustments)                                                     AS adjustments,
        sum(tax)                                                             AS tax,
        sum(shipping)                                                        AS shipping,
        sum(units)                                                           AS units,
        sum(returned_units)                                                  AS returned_units,
        sum(gross_sales) - sum(discounts) + sum(returns)
            - coalesce(sum(CASE WHEN NOT of_order THEN gross_sales - discounts + returns END), 0) AS net_of_orders,
        count(*) FILTER (is_order)                                           AS orders,
        count(DISTINCT customer_id) FILTER (is_order)                        AS customers,
        min(coalesce(currency, ''))                                          AS lowest_currency,
        max(coalesce(currency, ''))                                          AS highest_currency,
        min(missing_rate)                                                    AS missing_rate
    FROM buckets
    GROUP BY bucket
)
