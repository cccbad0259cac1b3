-- Data and delete files of the newest snapshot with their recorded sizes, relative to the lake's data folder. [metadata] is
-- the catalog's own database.
WITH newest AS (SELECT max(snapshot_id) AS snapshot_id FROM [metadata].ducklake_snapshot),

files AS (
    SELECT table_id, path, path_is_relative, file_size_bytes, begin_snapshot, end_snapshot FROM [metadata].ducklake_data_file
    UNION ALL
    SELECT table_id, path, path_is_relative, file_size_bytes, begin_snapshot, end_snapshot FROM [metadata].ducklake_delete_file
)

SELECT
    concat(any_value(schemas.path), any_value(tables.path), files.path) AS path,
    any_value(files.file_size_bytes)                                    AS file_size_bytes
FROM files
INNER JOIN [metadata].ducklake_table AS tables USING (table_id)
INNER JOIN [metadata].ducklake_schema AS schemas USING (schema_id)
CROSS JOIN newest
WHERE files.path_is_relative AND (files.end_snapshot IS NULL OR files.end_snapshot > newest.snapshot_id)
GROUP BY files.table_id, files.path
ORDER BY 1
