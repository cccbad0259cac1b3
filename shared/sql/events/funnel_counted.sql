-- How many did each step in their `best` attempt, and the median time of it, in microseconds.
SELECT
    value,
    step,
    count(*)                    AS entities,
    median(at_us - before_us)      AS median_step,
    median(at_us - began_us)       AS median_total
FROM attempts
INNER JOIN best USING (entity, start)
GROUP BY value, step
