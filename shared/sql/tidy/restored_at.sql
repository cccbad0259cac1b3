-- When this lake's catalog was last restored from a former version, if it ever was.
SELECT max(snapshot_time)
FROM ducklake_snapshots('lake')
WHERE author = $author
