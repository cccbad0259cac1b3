-- Every erasure, newest first. `older_snapshots` were committed before it and still show the person.
SELECT
    erased.person,
    erased.upload_id,
    erased.mode,
    erased.erased_at,
    erased.snapshot_id                       AS snapshot,
    erased.gone_after,
    erased.forgotten_at,
    erased.gone_at,
    erased.lifted_at,
    count(snapshots.snapshot_id)             AS older_snapshots,
    erased.receipt
FROM teal.erased AS erased
LEFT JOIN ducklake_snapshots($lake) AS snapshots ON snapshots.snapshot_id < erased.snapshot_id
GROUP BY ALL
ORDER BY erased.erased_at DESC, erased.upload_id
