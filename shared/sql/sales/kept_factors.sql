-- The factor into one currency of each currency and day, in the memory of a connection: that of the newest rate of the day or of up
-- to 31 days before.
WITH factors AS (
{factors}
)

SELECT
    currency,
    unnest(generate_series(day, least(day + 31, next_day - 1), INTERVAL 1 DAY))::DATE AS day,
    factor
FROM (SELECT *, lead(day) OVER (PARTITION BY currency ORDER BY day) AS next_day FROM factors)
ORDER BY currency, day
