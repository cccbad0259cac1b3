-- How many were converted, by period and value, oldest first and largest value first; the last column counts the periods.
SELECT
    strftime(periods.bucket, '%Y-%m-%d')                                                    AS period,
    periods.value                                                                           AS value,
    coalesce(counted.tried, 0)                                                              AS tried,
    coalesce(counted.converted, 0)                                                          AS converted,
    round(counted.converted / nullif(counted.tried, 0), 6)::DECIMAL(9, 6)                   AS conversion_rate,
    coalesce(
        coalesce(periods.bucket + CAST($step_length AS INTERVAL), $local_to::TIMESTAMP) + to_microseconds($window)
            <= $local_committed_at::TIMESTAMP,
        false
    )                                                                                       AS settled,
    [(SELECT count(*) FROM periods)]                                                        AS _seen
FROM periods
LEFT JOIN counted
    ON counted.bucket IS NOT DISTINCT FROM periods.bucket AND counted.value IS NOT DISTINCT FROM periods.value
ORDER BY
    periods.bucket,
    counted.tried DESC NULLS LAST,
    periods.value NULLS LAST
