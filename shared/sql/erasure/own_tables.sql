-- The lake's own tables that tell customers apart.
SELECT table_name
FROM duckdb_columns()
WHERE database_name = 'lake' AND schema_name = 'teal' AND column_name = 'customer_id'
ORDER BY table_name
