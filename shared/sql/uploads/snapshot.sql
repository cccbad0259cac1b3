-- The snapshot that an upload's commit made, by the author its commit names.
SELECT max(snapshot_id) AS snapshot_id
FROM ducklake_snapshots($lake)
WHERE author = 'upload ' || $upload_id
