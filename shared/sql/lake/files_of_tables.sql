-- Number and bytes of the data files of some tables (as schema.table) of the snapshot.
SELECT
    coalesce(sum(info.file_count), 0)      AS files,
    coalesce(sum(info.file_size_bytes), 0) AS bytes
FROM ducklake_table_info($alias) AS info
WHERE list_contains(list_transform($tables, lambda name: split_part(name, '.', 2)), info.table_name)
