-- Data files and their bytes per table of the snapshot; rows that are still inside the catalog have no file.
SELECT
    table_name,
    file_count,
    file_size_bytes
FROM ducklake_table_info($lake)
ORDER BY table_name
