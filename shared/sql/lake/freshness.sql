-- When each dataset was last brought anything, and the newest time its rows tell.
SELECT
    dataset,
    max(newest_at)::VARCHAR   AS newest_at,
    max(measured_at)::VARCHAR AS updated_at
FROM teal.quality
GROUP BY dataset
ORDER BY dataset
