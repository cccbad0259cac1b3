-- The segments of `found` in the order of the map, with their shares.
WITH listed AS (
    SELECT unnest($segments) AS segment, generate_subscripts($segments, 1) AS place
),

filled AS (
    SELECT
        place,
        listed.segment              AS segment,
        coalesce(size, 0)           AS size,
        coalesce(orders, 0)         AS orders,
        coalesce(net_sales, 0)      AS net_sales,
        days
    FROM listed
    LEFT JOIN found ON found.segment IS NOT DISTINCT FROM listed.segment
)

SELECT
    segment,
    size::BIGINT                                                                AS size,
    round(size / nullif(sum(size) OVER (), 0), 6)::DECIMAL(9, 6)                AS size_share,
    orders::BIGINT                                                              AS orders,
    net_sales::DECIMAL(18, 4)                                                   AS net_sales,
    round(net_sales / nullif(sum(net_sales) OVER (), 0), 6)::DECIMAL(9, 6)      AS share,
    round(days / nullif(size, 0), 2)::DECIMAL(9, 2)                             AS mean_recency_days,
    round(orders / nullif(size, 0), 4)::DECIMAL(18, 4)                          AS orders_per_customer,
    round(net_sales / nullif(size, 0), 4)::DECIMAL(18, 4)                       AS net_sales_per_customer,
    seen                                                                        AS _seen
FROM filled
CROSS JOIN whole
WHERE size > 0 OR list_contains($always, segment)
ORDER BY place
