-- The datasets of an attached lake: what is in its schema `main`.
SELECT table_name
FROM duckdb_tables()
WHERE database_name = $alias AND schema_name = 'main'
ORDER BY table_name
