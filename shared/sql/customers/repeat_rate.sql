-- The first of `steps`: all together, then order by order.
SELECT
    number::BIGINT                                                  AS order_number,
    customers::BIGINT                                               AS customers,
    went_on::BIGINT                                                 AS repeat_customers,
    round(went_on / nullif(customers, 0), 6)::DECIMAL(9, 6)         AS repeat_rate,
    round(mean_gap / 86400000000, 4)::DECIMAL(18, 4)                AS mean_days_between,
    round(median_gap / 86400000000, 4)::DECIMAL(18, 4)              AS median_days_between,
    [NULL, NULL, NULL, $until]                                      AS _seen
FROM steps
WHERE number IS NULL OR number <= $up_to
ORDER BY number NULLS FIRST
