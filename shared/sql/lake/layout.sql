-- The columns of the tables in $layout, in order.
SELECT
    table_name,
    column_name,
    data_type
FROM duckdb_columns()
WHERE database_name = $layout
    AND schema_name = 'teal'
ORDER BY table_name, column_index
