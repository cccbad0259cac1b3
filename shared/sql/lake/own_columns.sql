-- The columns of the lake's own tables, as the attached snapshot has them.
SELECT
    'teal.' || table_name AS table_name,
    column_name
FROM duckdb_columns()
WHERE database_name = $lake AND schema_name = 'teal'
