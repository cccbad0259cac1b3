-- The sales metrics per period in the asked time zone, oldest first. With $fill, periods without orders are there with
-- zeros. A period that was not over when the snapshot was committed is not complete. Times are the zone's wall-clock times.
WITH periods AS (
    SELECT
        unnest(
            generate_series(
                coalesce(date_trunc($grain, $local_from::TIMESTAMP), first_bucket),
                coalesce($local_to::TIMESTAMP - INTERVAL 1 MICROSECOND, last_bucket),
                CAST($step AS INTERVAL)
            )
        ) AS bucket
    FROM whole
    WHERE $fill
    UNION ALL
    SELECT bucket FROM metrics WHERE NOT $fill
)

SELECT
    CASE WHEN $grain = 'hour' THEN strftime(bucket, '%Y-%m-%dT%H:%M') ELSE strftime(bucket, '%Y-%m-%d') END AS period,
    coalesce(gross_sales, 0)    AS gross_sales,
    coalesce(discounts, 0)      AS discounts,
    coalesce(returns, 0)        AS returns,
    coalesce(adjustments, 0)    AS adjustments,
    coalesce(net_sales, 0)      AS net_sales,
    coalesce(tax, 0)            AS tax,
    coalesce(shipping, 0)       AS shipping,
    coalesce(total_sales, 0)    AS total_sales,
    coalesce(orders, 0)         AS orders,
    coalesce(customers, 0)      AS customers,
    coalesce(units, 0)          AS units,
    coalesce(returned_units, 0) AS returned_units,
    aov,
    bucket + CAST($step AS INTERVAL) <= $local_committed_at::TIMESTAMP AS complete,
    seen                        AS _seen
FROM periods
LEFT JOIN metrics USING (bucket)
CROSS JOIN whole
ORDER BY bucket
