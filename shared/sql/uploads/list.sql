-- Uploads in the ledger, newest first.
SELECT
    upload_id,
    dataset,
    object_key,
    source,
    status,
    reason_code,
    reason,
    received,
    accepted,
    held,
    duplicate,
    size_bytes,
    notes,
    replay_of,
    contract_version,
    received_at::VARCHAR AS received_at,
    committed_at::VARCHAR AS committed_at,
    duration_ms
FROM teal.uploads
WHERE ($status::VARCHAR IS NULL OR status = $status)
    AND ($before::TIMESTAMPTZ IS NULL OR uploads.committed_at < $before)
ORDER BY uploads.committed_at DESC, upload_id
LIMIT $limit
