-- Uploads of the ledger, newest first, after the position of a cursor when one is given.
SELECT
    upload_id,
    status,
    object_key,
    dataset,
    source,
    contract_version,
    reason_code,
    reason,
    received,
    accepted,
    held,
    duplicate,
    size_bytes,
    notes,
    replay_of,
    received_at,
    committed_at,
    duration_ms
FROM teal.uploads
WHERE ($status IS NULL OR status = $status)
    AND ($dataset IS NULL OR dataset = $dataset)
    AND ($after_at IS NULL OR (received_at, upload_id) < ($after_at::TIMESTAMPTZ, $after_id))
ORDER BY received_at DESC, upload_id DESC
LIMIT $rows
