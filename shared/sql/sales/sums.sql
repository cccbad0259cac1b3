-- What each bucket and value of `buckets` adds up to, in one pass.
SELECT
    bucket,
    value,
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
GROUP BY bucket, value
