-- Requests per period and group, oldest first, most first. A percentile is the upper end of the bucket that it lies in.
SELECT
    {period}                                                                            AS period,
    asked,
    sum(requests)::BIGINT                                                               AS requests,
    sum(from_cache)::BIGINT                                                             AS from_cache,
    sum(not_modified)::BIGINT                                                           AS not_modified,
    sum(client_errors)::BIGINT                                                          AS client_errors,
    sum(server_errors)::BIGINT                                                          AS server_errors,
    round(pow(2, min(latency_bucket) FILTER (up_to * 2 >= total) / 4), 3)::DECIMAL(18, 3) AS p50_ms,
    round(pow(2, min(latency_bucket) FILTER (up_to * 20 >= total * 19) / 4), 3)::DECIMAL(18, 3) AS p95_ms,
    round(sum(microseconds) / sum(requests) / 1000, 3)::DECIMAL(18, 3)                  AS mean_ms,
    sum(bytes_sent)::BIGINT                                                             AS bytes_sent,
    sum(bytes_read)::BIGINT                                                             AS bytes_read,
    round(sum(picodollars) / 1e12, 9)::DECIMAL(18, 9)                                   AS cost_usd,
    strftime(make_timestamp(until_us), '%Y-%m-%dT%H:%M:%SZ')                            AS until,
    coalesce(ends_us <= until_us, false)                                                AS folded
FROM (
    SELECT
        *,
        sum(requests) OVER (PARTITION BY bucket, asked ORDER BY latency_bucket) AS up_to,
        sum(requests) OVER (PARTITION BY bucket, asked)                         AS total,
        least({ends}, epoch_us($to_at::TIMESTAMPTZ))                            AS ends_us,
        (SELECT epoch_us(max(folded_at)) FROM teal.usage)                       AS until_us
    FROM counted
)
GROUP BY bucket, asked, ends_us, until_us
ORDER BY
    bucket,
    requests DESC,
    asked
