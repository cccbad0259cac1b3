-- Every column of an attached lake by its table, from the catalog itself: DuckDB would read the whole schema for them.
SELECT
    schemas.schema_name || '.' || tables.table_name AS table_name,
    columns.column_name
FROM __ducklake_metadata_{lake}.ducklake_column AS columns
INNER JOIN __ducklake_metadata_{lake}.ducklake_table AS tables USING (table_id)
INNER JOIN __ducklake_metadata_{lake}.ducklake_schema AS schemas USING (schema_id)
WHERE columns.end_snapshot IS NULL
    AND columns.parent_column IS NULL
    AND tables.end_snapshot IS NULL
    AND schemas.schema_name IN ('main', 'teal')
