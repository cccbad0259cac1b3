-- The newest snapshot, and when it was committed.
SELECT
    snapshot_id,
    snapshot_time
FROM __ducklake_metadata_lake.ducklake_snapshot
ORDER BY snapshot_id DESC
LIMIT 1
