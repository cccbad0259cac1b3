-- Says of the newest snapshot who made it and why.
INSERT INTO __ducklake_metadata_lake.ducklake_snapshot_changes BY NAME
SELECT
    max(snapshot_id) AS snapshot_id,
    ''               AS changes_made,
    $author          AS author,
    $message         AS commit_message
FROM __ducklake_metadata_lake.ducklake_snapshot
