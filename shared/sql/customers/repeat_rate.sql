-- How many customers ordered so often, how many went on, and how long it took them: all together, then order by order.
WITH counted AS (
    SELECT
        number,
        count(*)                         AS customers,
        avg(gap)                         AS mean_gap,
        median(gap)                      AS median_gap
    FROM gaps
    GROUP BY number
),

steps AS (
    SELECT
        number,
        customers,
        coalesce(lead(customers) OVER (ORDER BY number), 0)     AS went_on,
        lead(mean_gap) OVER (ORDER BY number)                   AS mean_gap,
        lead(median_gap) OVER (ORDER BY number)                 AS median_gap
    FROM counted
    UNION ALL
    SELECT
        NULL,
        count(*) FILTER (number = 1),
        count(*) FILTER (number = 2),
        avg(gap),
        median(gap)
    FROM gaps
)

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
