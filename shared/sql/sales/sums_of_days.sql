-- What each bucket of whole days adds up to, from the rollup of days: only for all orders of all customers, in the time zone
-- the rollup was made in. A currency counts where any of its orders does.
SELECT
    bucket,
    NULL::BOOLEAN                      AS value,
    gross_sales,
    discounts,
    returns,
    adjustments,
    tax,
    shipping,
    units,
    returned_units,
    net_of_orders,
    orders::BIGINT                     AS orders,
    coalesce(customers, 0)::BIGINT     AS customers,
    lowest_currency,
    highest_currency,
    NULL::VARCHAR                      AS missing_rate
FROM (
    SELECT
        bucket,
        sum(gross_sales)                                             AS gross_sales,
        sum(discounts)                                               AS discounts,
        sum(returns)                                                 AS returns,
        CASE WHEN $adjustments THEN sum(adjustments) ELSE 0 END      AS adjustments,
        sum(tax)                                                     AS tax,
        sum(shipping)                                                AS shipping,
        sum(units)                                                   AS units,
        sum(returned_units)                                          AS returned_units,
        sum(net_of_orders)                                           AS net_of_orders,
        sum(orders)                                                  AS orders,
        min(coalesce(currency, $default_currency))                   AS lowest_currency,
        max(coalesce(currency, $default_currency))                   AS highest_currency
    FROM (
        SELECT
            bucket,
            currency,
            sum(gross_sales)     AS gross_sales,
            sum(discounts)       AS discounts,
            sum(returns)         AS returns,
            sum(adjustments)     AS adjustments,
            sum(tax)             AS tax,
            sum(shipping)        AS shipping,
            sum(units)           AS units,
            sum(returned_units)  AS returned_units,
            sum(net_of_orders)   AS net_of_orders,
            sum(orders)          AS orders
        FROM days
        GROUP BY bucket, currency
        HAVING sum(with_sales) > 0
            OR ($adjustments AND sum(with_adjustments) > 0)
            OR ($zeros AND sum(with_zeros) > 0)
    )
    GROUP BY bucket
)
LEFT JOIN customers USING (bucket)
