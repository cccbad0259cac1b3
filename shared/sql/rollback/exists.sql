-- Whether a snapshot can still be read; the empty state before the first commit is none.
SELECT count(*)
FROM ducklake_snapshots('lake')
WHERE snapshot_id = $snapshot AND snapshot_id > 0
