-- What one unit of each currency is worth in euros on every day: half a year of small steps around a mean.
WITH steps AS (
    SELECT
        currencies.*,
        day,
        below(draw('step', number, day), 61) - 30 AS step
    FROM (
        SELECT
            unnest(range(len($currencies)))::INTEGER AS number,
            unnest($currencies)                      AS currency,
            unnest($rates)::INTEGER                  AS mean
    ) AS currencies
    CROSS JOIN range(-180, $seconds // 86400) AS days(day)
    WHERE currency <> 'EUR'
),

walks AS (
    SELECT *, sum(step) OVER (PARTITION BY number ORDER BY day ROWS 179 PRECEDING)::BIGINT AS walk FROM steps
)

SELECT
    currency,
    'EUR'                                                              AS base,
    (instant(0) AT TIME ZONE 'UTC')::DATE + day::INTEGER               AS day,
    -- Six decimals, exactly: a mean in thousandths, and steps in ten thousandths of it.
    ((mean * (10000 + walk) * 0.0000001)::DECIMAL(18, 7))::DOUBLE      AS rate
FROM walks
WHERE day >= 0
ORDER BY day, currency
