-- Sessions by period and value, oldest first and largest value first; the last column counts the periods.
SELECT
    strftime(periods.bucket, '%Y-%m-%d')                                                AS period,
    periods.value                                                                       AS value,
    coalesce(counted.sessions, 0)                                                       AS sessions,
    coalesce(counted.events, 0)::BIGINT                                                 AS events,
    round(counted.events / nullif(counted.sessions, 0), 4)::DECIMAL(18, 4)              AS events_per_session,
    (round(length_us / nullif(counted.sessions, 0) / 1000) / 1000)::DECIMAL(18, 3)      AS mean_session_seconds,
    (round(median_us / 1000) / 1000)::DECIMAL(18, 3)                                    AS median_session_seconds,
    coalesce(counted.bounces, 0)                                                        AS bounces,
    round(counted.bounces / nullif(counted.sessions, 0), 6)::DECIMAL(9, 6)              AS bounce_rate,
    coalesce(counted.converted, 0)                                                      AS converted,
    round(counted.converted / nullif(counted.sessions, 0), 6)::DECIMAL(9, 6)            AS conversion_rate,
    coalesce(
        coalesce(periods.bucket + CAST($step_length AS INTERVAL), $local_to::TIMESTAMP)
            <= $local_committed_at::TIMESTAMP,
        false
    )                                                                                   AS complete,
    [(SELECT count(*) FROM periods)]                                                    AS _seen
FROM periods
LEFT JOIN counted
    ON counted.bucket IS NOT DISTINCT FROM periods.bucket AND counted.value IS NOT DISTINCT FROM periods.value
ORDER BY
    periods.bucket,
    counted.sessions DESC NULLS LAST,
    periods.value NULLS LAST
