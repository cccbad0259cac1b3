-- What was measured of each dataset that one upload brought rows for.
SELECT
    dataset,
    contract_version,
    received,
    accepted,
    held,
    duplicate,
    missing_references,
    newest_at,
    measures,
    measured_at
FROM teal.quality
WHERE upload_id = $upload_id
ORDER BY dataset
