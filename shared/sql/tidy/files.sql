-- Every file that any snapshot of the lake needs: its address (below the data folder, or a whole uri), the size recorded
-- when it was written, and whether the newest snapshot reads it.
WITH folders AS (
    SELECT DISTINCT
        tables.table_id,
        CASE
            WHEN NOT tables.path_is_relative THEN tables.path
            ELSE schemas.path || tables.path
        END                                                      AS folder,
        NOT (tables.path_is_relative AND schemas.path_is_relative) AS is_uri
    FROM __ducklake_metadata_lake.ducklake_table AS tables
    INNER JOIN __ducklake_metadata_lake.ducklake_schema AS schemas USING (schema_id)
),

files AS (
    SELECT table_id, path, path_is_relative, file_size_bytes, end_snapshot
    FROM __ducklake_metadata_lake.ducklake_data_file
    UNION ALL
    SELECT table_id, path, path_is_relative, file_size_bytes, end_snapshot
    FROM __ducklake_metadata_lake.ducklake_delete_file
)

SELECT
    CASE WHEN files.path_is_relative THEN folders.folder || files.path ELSE files.path END AS address,
    NOT files.path_is_relative OR folders.is_uri                                           AS is_uri,
    max(files.file_size_bytes)                                                             AS size_bytes,
    bool_or(files.end_snapshot IS NULL)                                                    AS is_current
FROM files
INNER JOIN folders USING (table_id)
GROUP BY ALL
ORDER BY address
