-- The periods of an answer beside the values of its dimension: those that were counted, and with $fill every other period of
-- the range; where it is open, from the first or to the last one with events.
SELECT DISTINCT
    bucket,
    value
FROM counted
UNION
SELECT
    unnest(
        generate_series(
            coalesce(date_trunc($grain, $local_from::TIMESTAMP), min(bucket)),
            coalesce($local_to::TIMESTAMP - INTERVAL 1 MICROSECOND, max(bucket)),
            CAST($step_length AS INTERVAL)
        )
    ),
    NULL
FROM counted
HAVING $fill
