-- The newest instant each dataset's rows ever told, and how often rows were brought.
SELECT
    dataset,
    max(newest_at)   AS newest_at,
    max(measured_at) AS updated_at,
    count(*)         AS uploads
FROM teal.quality
GROUP BY dataset
ORDER BY dataset
