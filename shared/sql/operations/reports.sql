-- What was measured of every upload, a row per dataset it had rows for; an upload that could not be read has one without rows.
-- `columns` says what was missing and invalid in each column.
SELECT
    coalesce(quality.dataset, uploads.dataset)                  AS dataset,
    coalesce(quality.measured_at, uploads.committed_at)         AS measured_at,
    coalesce(coalesce(quality.measured_at, uploads.committed_at) >= $from_at::TIMESTAMPTZ, true) AS in_range,
    uploads.status = 'held'                                     AS is_held,
    coalesce(quality.received, 0)                               AS received,
    coalesce(quality.accepted, 0)                               AS accepted,
    coalesce(quality.held, 0)                                   AS held,
    coalesce(quality.duplicate, 0)                              AS duplicate,
    coalesce(quality.missing_references, 0)                     AS missing_references,
    CASE WHEN uploads.status = 'loaded' THEN newest_at END      AS newest_at,
    coalesce(
        map_entries(json_transform(measures, '"MAP(VARCHAR, STRUCT(missing BIGINT, invalid BIGINT))"')),
        []
    )                                                           AS columns
FROM teal.uploads
LEFT JOIN teal.quality USING (upload_id)
WHERE (quality.upload_id IS NOT NULL OR (uploads.status = 'held' AND NOT starts_with(uploads.dataset, '_')))
    AND ($dataset::VARCHAR[] IS NULL OR list_contains($dataset, coalesce(quality.dataset, uploads.dataset)))
    AND ($to_at::TIMESTAMPTZ IS NULL OR coalesce(quality.measured_at, uploads.committed_at) < $to_at)
