-- The quality reports of one upload, by dataset.
SELECT
    dataset,
    contract_version,
    received,
    accepted,
    held,
    duplicate,
    missing_references,
    newest_at::VARCHAR   AS newest_at,
    measures,
    measured_at::VARCHAR AS measured_at
FROM teal.quality
WHERE upload_id = $upload_id
ORDER BY dataset
