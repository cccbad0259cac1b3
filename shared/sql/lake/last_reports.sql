-- The newest quality report of every dataset, with the upload it is about: of those whose rows are in the lake.
SELECT
    dataset,
    upload_id,
    received,
    accepted,
    held,
    duplicate,
    missing_references,
    measures,
    measured_at
FROM teal.quality
SEMI JOIN (SELECT upload_id FROM teal.uploads WHERE status = 'loaded') AS loaded USING (upload_id)
QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY measured_at DESC, upload_id DESC) = 1
ORDER BY dataset
