-- How many of the customers of `gaps` ordered so often, how many went on, and how long it took them: all together, and order by
-- order.
WITH counted AS (
    SELECT
        number,
        count(*)                         AS customers,
        avg(gap)                         AS mean_gap,
        median(gap)                      AS median_gap
    FROM gaps
    GROUP BY number
)

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
