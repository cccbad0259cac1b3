-- What each bucket and value of whole days adds up to, from the rollup of days: only in the time zone the rollup was made in.
SELECT
    sums.*,
    coalesce(customers, 0)::BIGINT AS customers
FROM (
    SELECT
        bucket,
        value,
        sum(gross_sales)                  AS gross_sales,
        sum(discounts)                    AS discounts,
        sum(returns)                      AS returns,
        sum(adjustments)                  AS adjustments,
        sum(tax)                          AS tax,
        sum(shipping)                     AS shipping,
        sum(units)                        AS units,
        sum(returned_units)               AS returned_units,
        sum(net_of_orders)                AS net_of_orders,
        sum(orders)::BIGINT               AS orders,
        min(coalesce(currency, ''))       AS lowest_currency,
        max(coalesce(currency, ''))       AS highest_currency,
        min(missing_rate)                 AS missing_rate
    FROM facts
    GROUP BY bucket, value
) AS sums
LEFT JOIN customers ON customers.bucket = sums.bucket AND customers.value IS NOT DISTINCT FROM sums.value
