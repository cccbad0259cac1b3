-- Adds a snapshot equal to the newest one with a much higher id, so that no id is ever given to two states.
INSERT INTO __ducklake_metadata_lake.ducklake_snapshot BY NAME
SELECT
    snapshot_id + $skipped AS snapshot_id,
    now()                  AS snapshot_time,
    schema_version,
    next_catalog_id,
    next_file_id
FROM __ducklake_metadata_lake.ducklake_snapshot
QUALIFY row_number() OVER (ORDER BY snapshot_id DESC) = 1
