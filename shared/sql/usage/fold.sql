-- Add rows of sums, given column by column.
INSERT INTO lake.teal.usage BY NAME
SELECT
    unnest($hour)::TIMESTAMPTZ          AS hour,
    unnest($question)::VARCHAR          AS question,
    unnest($key_id)::VARCHAR            AS key_id,
    unnest($status)::VARCHAR            AS status,
    unnest($format)::VARCHAR            AS format,
    unnest($latency_bucket)::INTEGER    AS latency_bucket,
    unnest($requests)::BIGINT           AS requests,
    unnest($from_cache)::BIGINT         AS from_cache,
    unnest($not_modified)::BIGINT       AS not_modified,
    unnest($microseconds)::BIGINT       AS microseconds,
    unnest($bytes_sent)::BIGINT         AS bytes_sent,
    unnest($bytes_read)::BIGINT         AS bytes_read,
    unnest($picodollars)::BIGINT        AS picodollars,
    $folded_at::TIMESTAMPTZ             AS folded_at
