-- The rows of `dated` added up by period, group and latency bucket.
SELECT
    bucket,
    asked,
    latency_bucket,
    sum(requests)                                               AS requests,
    sum(from_cache)                                             AS from_cache,
    sum(not_modified)                                           AS not_modified,
    coalesce(sum(requests) FILTER (status = '4xx'), 0)          AS client_errors,
    coalesce(sum(requests) FILTER (status = '5xx'), 0)          AS server_errors,
    sum(microseconds)                                           AS microseconds,
    sum(bytes_sent)                                             AS bytes_sent,
    sum(bytes_read)                                             AS bytes_read,
    sum(picodollars)                                            AS picodollars
FROM dated
GROUP BY bucket, asked, latency_bucket
