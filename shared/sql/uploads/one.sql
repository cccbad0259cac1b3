-- One upload's row of the ledger.
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
WHERE upload_id = $upload_id
ORDER BY uploads.committed_at
LIMIT 1
