-- The newest instant each dataset's rows tell, and how often rows were brought that are in the lake.
SELECT
    dataset,
    max(newest_at)   AS newest_at,
    max(measured_at) AS updated_at,
    count(*)         AS uploads
FROM teal.quality
SEMI JOIN (SELECT upload_id FROM teal.uploads WHERE status = 'loaded') AS loaded USING (upload_id)
GROUP BY dataset
ORDER BY dataset
