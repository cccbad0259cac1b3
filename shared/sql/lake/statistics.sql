-- Rows, files and bytes of every table of the snapshot, from the catalog.
SELECT
    tables.table_name,
    coalesce(info.file_count, 0)      AS files,
    coalesce(info.file_size_bytes, 0) AS bytes
FROM duckdb_tables() AS tables
LEFT JOIN ducklake_table_info($alias) AS info USING (table_name)
WHERE tables.database_name = $alias AND tables.schema_name = 'main'
ORDER BY tables.table_name
