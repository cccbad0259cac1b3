-- The sales metrics of each of `periods` in the asked time zone, oldest first; zeros where there are no orders. A period that
-- was not over when the snapshot was committed is not complete. Times are the zone's wall-clock times.
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
ORDER BY bucket
