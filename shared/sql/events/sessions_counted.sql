-- What sessions come to, by the period in which they began and the value of their first event.
SELECT
    bucket,
    value,
    count(*)                            AS sessions,
    sum(events)                         AS events,
    count(*) FILTER (events = 1)        AS bounces,
    count(*) FILTER (converted)         AS converted,
    sum(length_us)                      AS length_us,
    median(length_us)                   AS median_us
FROM dated
GROUP BY bucket, value
