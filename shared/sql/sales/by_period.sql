-- The sales metrics per period in the asked time zone, oldest first. With $fill, periods without orders are there with
-- zeros. A period that was not over when the snapshot was committed is not complete.
WITH edges AS (
    SELECT
        date_trunc($grain, timezone($timezone, coalesce($from_at::TIMESTAMPTZ, min(ordered_at)))) AS first_period,
        coalesce(timezone($timezone, $to_at::TIMESTAMPTZ), timezone($timezone, max(ordered_at)) + INTERVAL 1 MICROSECOND)
            AS past_end
    FROM facts
),

periods AS (
    SELECT unnest(generate_series(first_period, past_end - INTERVAL 1 MICROSECOND, CAST($step AS INTERVAL))) AS bucket
    FROM edges
    WHERE $fill AND first_period IS NOT NULL
    UNION
    SELECT bucket FROM metrics
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
    timezone($timezone, bucket + CAST($step AS INTERVAL)) <= $committed_at AS complete
FROM periods
LEFT JOIN metrics USING (bucket)
ORDER BY bucket
