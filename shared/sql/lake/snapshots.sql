-- Snapshots of a lake, newest first, from one id downwards; the empty state before the first commit is none.
SELECT
    snapshot_id,
    snapshot_time,
    author,
    commit_message,
    commit_extra_info
FROM ducklake_snapshots($lake)
WHERE snapshot_id > 0 AND snapshot_id <= $newest AND ($before IS NULL OR snapshot_id < $before)
ORDER BY snapshot_id DESC
LIMIT $rows
