-- Tables of the lake that ever held a row, from the catalog's own statistics. DuckLake remembers none of an empty table, and
-- asks its catalog for them again with every column of every scan.
SELECT schema_name || '.' || table_name
FROM __ducklake_metadata_lake.ducklake_table_stats AS stats
INNER JOIN __ducklake_metadata_lake.ducklake_table AS tables USING (table_id)
INNER JOIN __ducklake_metadata_lake.ducklake_schema AS schemas USING (schema_id)
WHERE stats.record_count > 0
