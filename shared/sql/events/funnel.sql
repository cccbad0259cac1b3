-- How far entities got: a row per value and step of `counted`, the largest value first; zeros where nobody got that far.
SELECT
    value,
    step,
    event,
    entities,
    round(entities / nullif(lag(entities) OVER steps, 0), 6)::DECIMAL(9, 6)             AS step_rate,
    round(entities / nullif(first_value(entities) OVER steps, 0), 6)::DECIMAL(9, 6)     AS total_rate,
    CASE WHEN step > 1 THEN (round(median_step / 1000) / 1000)::DECIMAL(18, 3) END      AS median_step_seconds,
    CASE WHEN step > 1 THEN (round(median_total / 1000) / 1000)::DECIMAL(18, 3) END     AS median_total_seconds
FROM (
    SELECT
        asked.value,
        asked.step,
        asked.event,
        coalesce(counted.entities, 0) AS entities,
        median_step,
        median_total
    FROM (
        SELECT
            value,
            generate_subscripts($step, 1)   AS step,
            unnest($step)                   AS event
        FROM (
            SELECT value FROM counted WHERE step = 1
            UNION
            -- Without a dimension there is one value, also where there are no events: none.
            SELECT NULL WHERE $dimension::VARCHAR IS NULL
        )
    ) AS asked
    LEFT JOIN counted ON counted.step = asked.step AND counted.value IS NOT DISTINCT FROM asked.value
)
WINDOW steps AS (PARTITION BY value ORDER BY step)
ORDER BY
    first_value(entities) OVER steps DESC,
    value NULLS LAST,
    step
