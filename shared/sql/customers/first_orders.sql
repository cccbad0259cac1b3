-- When each customer of `dated` ordered first, and in which period.
SELECT
    customer_id,
    min(ordered_at)   AS first_at,
    min(bucket)       AS first_bucket
FROM dated
WHERE is_order AND customer_id IS NOT NULL
GROUP BY customer_id
