-- Who tried in each period, by the value of the first event, and who was converted by one of these tries.
SELECT
    bucket,
    value,
    count(DISTINCT entity)                      AS tried,
    count(DISTINCT entity) FILTER (converted)   AS converted
FROM dated
GROUP BY bucket, value
