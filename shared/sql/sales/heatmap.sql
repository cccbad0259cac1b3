-- The hours of a week, Monday first, beside what `whole` has: 168 places of an answer.
SELECT
    bucket,
    NULL::BOOLEAN       AS value,
    bucket // 24 + 1    AS weekday,
    bucket % 24         AS hour,
    seen
FROM (SELECT unnest(range(168)) AS bucket)
CROSS JOIN whole
