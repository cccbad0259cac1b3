-- Sets what the catalog knows of a text column's least and greatest value to those of the files there are: an erased person's
-- id or address may have been one of them. Only while no rows are inside the catalog itself.
UPDATE raw_catalog.ducklake_table_column_stats AS stats
SET min_value = found.low, max_value = found.high
FROM (
    SELECT
        columns.table_id,
        columns.column_id,
        min(of_files.min_value) AS low,
        max(of_files.max_value) AS high
    FROM raw_catalog.ducklake_column AS columns
    LEFT JOIN raw_catalog.ducklake_file_column_stats AS of_files
        ON of_files.table_id = columns.table_id AND of_files.column_id = columns.column_id
    WHERE columns.column_type IN ('varchar', 'json')
    GROUP BY columns.table_id, columns.column_id
) AS found
WHERE stats.table_id = found.table_id AND stats.column_id = found.column_id
