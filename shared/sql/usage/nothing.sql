-- The table of usage as it is in a snapshot of an earlier version, which has none: without rows.
SELECT
    NULL::TIMESTAMPTZ   AS hour,
    NULL::VARCHAR       AS question,
    NULL::VARCHAR       AS key_id,
    NULL::VARCHAR       AS status,
    NULL::VARCHAR       AS format,
    NULL::INTEGER       AS latency_bucket,
    NULL::BIGINT        AS requests,
    NULL::BIGINT        AS from_cache,
    NULL::BIGINT        AS not_modified,
    NULL::BIGINT        AS microseconds,
    NULL::BIGINT        AS bytes_sent,
    NULL::BIGINT        AS bytes_read,
    NULL::BIGINT        AS picodollars,
    NULL::TIMESTAMPTZ   AS folded_at
WHERE false
