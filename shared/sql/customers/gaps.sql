-- Every order of the range with its number among its customer's, and the microseconds since the one before it.
SELECT
    customer_id,
    row_number() OVER by_time                                                           AS number,
    epoch_us(ordered_at) - lag(epoch_us(ordered_at)) OVER by_time                       AS gap
FROM facts
WHERE is_order AND ($range_from::TIMESTAMPTZ IS NULL OR ordered_at >= $range_from)
WINDOW by_time AS (PARTITION BY customer_id ORDER BY ordered_at)
