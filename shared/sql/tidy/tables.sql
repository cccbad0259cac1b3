-- Tables of the newest snapshot with what maintenance could do for them: files that are small and have no deletions, and the
-- largest share of rows that any file's deletions take away.
WITH deletions AS (
    SELECT data_file_id, max(delete_count) AS deleted
    FROM __ducklake_metadata_lake.ducklake_delete_file
    WHERE end_snapshot IS NULL
    GROUP BY data_file_id
),

files AS (
    SELECT
        files.table_id,
        count(*) FILTER (files.file_size_bytes < $small_bytes AND deletions.deleted IS NULL) AS small_files,
        max(coalesce(deletions.deleted, 0) / greatest(files.record_count, 1))                AS deleted_share
    FROM __ducklake_metadata_lake.ducklake_data_file AS files
    LEFT JOIN deletions USING (data_file_id)
    WHERE files.end_snapshot IS NULL
    GROUP BY files.table_id
)

SELECT
    schemas.schema_name,
    tables.table_name,
    files.small_files,
    files.deleted_share
FROM files
INNER JOIN __ducklake_metadata_lake.ducklake_table AS tables USING (table_id)
INNER JOIN __ducklake_metadata_lake.ducklake_schema AS schemas USING (schema_id)
WHERE tables.end_snapshot IS NULL
ORDER BY schemas.schema_name, tables.table_name
