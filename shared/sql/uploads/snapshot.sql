-- The snapshot that an upload's commit made, by the author its commit names; a command's commit has who gave it as its
-- author, and names the upload at the end of its message.
SELECT max(snapshot_id) AS snapshot_id
FROM ducklake_snapshots($lake)
WHERE author = 'upload ' || $upload_id OR ends_with(commit_message, '; upload ' || $upload_id)
