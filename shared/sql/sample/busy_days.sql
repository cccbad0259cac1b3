-- Order lines per day since the start, oldest first; a credit note's lines are of its own day.
SELECT
    second // 86400      AS day,
    sum(lines)::BIGINT   AS lines
FROM (
    SELECT second, lines + CASE WHEN is_noted THEN 0 ELSE returned END AS lines FROM visits
    UNION ALL
    SELECT returned_at AS second, returned AS lines FROM visits WHERE is_noted AND returned > 0
)
GROUP BY day
ORDER BY day
