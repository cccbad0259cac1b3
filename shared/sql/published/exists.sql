-- Whether a snapshot has the table of published questions; those of earlier versions have not.
SELECT count(*) > 0
FROM duckdb_tables()
WHERE database_name = $alias AND schema_name = 'teal' AND table_name = 'questions'
