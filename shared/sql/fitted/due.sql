-- The newest snapshot that changed sales, and the one the models of this version saw; NULL when there is none.
SELECT
    (
        SELECT max(snapshot_id)
        FROM __ducklake_metadata_lake.ducklake_snapshot_changes
        WHERE commit_extra_info LIKE '%"teal.order_totals"%'
    ) AS changed,
    (SELECT min(snapshot) FROM lake.teal.models WHERE version = $version) AS seen
