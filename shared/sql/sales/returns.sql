-- What came back of each value of the dimension, the largest amount first, or of each period, oldest first.
SELECT
    metrics.value,
    label,
    CASE WHEN $in_periods THEN strftime(bucket, '%Y-%m-%d') END                             AS period,
    orders,
    units,
    returned_units,
    round(returned_units / nullif(units, 0), 6)::DECIMAL(18, 6)                             AS return_rate,
    gross_sales,
    discounts,
    returns,
    round(-returns / nullif(gross_sales - discounts, 0), 6)::DECIMAL(18, 6)                 AS returned_share,
    seen                                                                                    AS _seen
FROM metrics
INNER JOIN groups ON groups.value IS NOT DISTINCT FROM metrics.value
CROSS JOIN whole
ORDER BY
    bucket,
    returns,
    returned_units DESC,
    metrics.value NULLS LAST
