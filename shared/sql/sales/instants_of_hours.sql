-- An instant of every hour from the first of `whole_hours` on, where $changes of the clock cut hours: one in each full hour, one
-- in what is left of an hour before a change, one in what follows it, and the last there is.
WITH ends AS (
    SELECT
        (SELECT min(bucket) FROM whole_hours)                                          AS first,
        greatest($local_to::TIMESTAMP - INTERVAL 1 MICROSECOND, max(metrics.bucket))  AS last
    FROM metrics
),

instants AS (
    SELECT bucket
    FROM whole_hours
    UNION ALL
    SELECT last AS bucket
    FROM ends
    UNION ALL
    SELECT unnest([cut - INTERVAL 1 MICROSECOND, cut]) AS bucket
    FROM (SELECT unnest($changes::TIMESTAMP[]) AS cut)
    INNER JOIN ends ON cut > first AND cut <= last
)

SELECT
    bucket,
    seen
FROM instants
CROSS JOIN whole
WHERE bucket IS NOT NULL
