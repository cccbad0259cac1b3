-- What the ledger says of one upload; a version that came again under the same id is a row of its own, the last one counts.
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
WHERE upload_id = $upload_id
ORDER BY committed_at DESC
LIMIT 1
