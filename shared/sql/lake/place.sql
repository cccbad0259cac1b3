-- Where the local copy of an attached catalog is.
SELECT path
FROM duckdb_databases()
WHERE database_name = $alias
