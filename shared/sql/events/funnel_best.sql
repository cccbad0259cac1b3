-- The attempt of each entity that counts: of its `attempts` the one that got furthest; of those, the first to get there; of
-- those that got there at once, the one that began last.
SELECT
    entity,
    arg_min(start, (-step, at_us, -start)) AS start
FROM attempts
GROUP BY entity
