-- Tables of a snapshot and DuckLake's id of each.
SELECT
    schemas.schema_name,
    tables.table_name,
    tables.table_id
FROM __ducklake_metadata_lake.ducklake_table AS tables
INNER JOIN __ducklake_metadata_lake.ducklake_schema AS schemas USING (schema_id)
WHERE tables.begin_snapshot <= $snapshot
    AND (tables.end_snapshot IS NULL OR tables.end_snapshot > $snapshot)
    AND schemas.schema_name IN ('main', 'teal')
ORDER BY schemas.schema_name, tables.table_name
