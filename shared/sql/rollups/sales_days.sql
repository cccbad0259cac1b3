-- By how much sales_days changes; reads changed_totals and changed_customer_days.
WITH sales AS (
    SELECT
        day,
        country,
        channel,
        currency,
        sum(gross_sales)                                                                         AS gross_sales,
        sum(discounts)                                                                           AS discounts,
        sum(returns)                                                                             AS returns,
        sum(adjustments)                                                                         AS adjustments,
        sum(tax)                                                                                 AS tax,
        sum(shipping)                                                                            AS shipping,
        sum(CASE WHEN order_has_sale THEN gross_sales - discounts + returns ELSE 0 END)        AS net_of_orders,
        sum(units)                                                                               AS units,
        sum(returned_units)                                                                      AS returned_units,
        sum(sign * counts_order::INTEGER)                                                        AS orders,
        sum(sign * is_sales::INTEGER)                                                            AS with_sales,
        sum(sign * has_adjustment::INTEGER)                                                      AS with_adjustments,
        sum(sign * has_zero::INTEGER)                                                            AS with_zeros
    FROM changed_totals
    GROUP BY ALL
    HAVING NOT (
        sum(sign) = 0 AND gross_sales = 0 AND discounts = 0 AND returns = 0 AND adjustments = 0 AND tax = 0 AND shipping = 0
        AND net_of_orders = 0 AND units = 0 AND returned_units = 0 AND orders = 0 AND with_sales = 0
        AND with_adjustments = 0 AND with_zeros = 0
    )
),

customers AS (
    SELECT
        day,
        sum(customers)                                                                           AS customers_of_day,
        sum(customers) FILTER (coalesce(previous_day < date_trunc('week', day), true))           AS customers_of_week,
        sum(customers) FILTER (coalesce(previous_day < date_trunc('month', day), true))          AS customers_of_month,
        sum(customers) FILTER (coalesce(previous_day < date_trunc('quarter', day), true))        AS customers_of_quarter,
        sum(customers) FILTER (coalesce(previous_day < date_trunc('year', day), true))           AS customers_of_year
    FROM changed_customer_days
    WHERE dimension IS NULL
    GROUP BY day
)

SELECT
    $zone                                    AS zone,
    day,
    country,
    channel,
    currency,
    coalesce(gross_sales, 0)::DECIMAL(18, 4)    AS gross_sales,
    coalesce(discounts, 0)::DECIMAL(18, 4)      AS discounts,
    coalesce(returns, 0)::DECIMAL(18, 4)        AS returns,
    coalesce(adjustments, 0)::DECIMAL(18, 4)    AS adjustments,
    coalesce(tax, 0)::DECIMAL(18, 4)            AS tax,
    coalesce(shipping, 0)::DECIMAL(18, 4)       AS shipping,
    coalesce(net_of_orders, 0)::DECIMAL(18, 4)  AS net_of_orders,
    coalesce(units, 0)::BIGINT                  AS units,
    coalesce(returned_units, 0)::BIGINT         AS returned_units,
    coalesce(orders, 0)::BIGINT                 AS orders,
    coalesce(with_sales, 0)::BIGINT             AS with_sales,
    coalesce(with_adjustments, 0)::BIGINT       AS with_adjustments,
    coalesce(with_zeros, 0)::BIGINT             AS with_zeros,
    coalesce(customers_of_day, 0)::BIGINT       AS customers_of_day,
    coalesce(customers_of_week, 0)::BIGINT      AS customers_of_week,
    coalesce(customers_of_month, 0)::BIGINT     AS customers_of_month,
    coalesce(customers_of_quarter, 0)::BIGINT   AS customers_of_quarter,
    coalesce(customers_of_year, 0)::BIGINT      AS customers_of_year
FROM (FROM sales UNION ALL BY NAME FROM customers)
ORDER BY day, country, channel, currency
