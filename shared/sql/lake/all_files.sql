-- Every data and delete file that some kept snapshot needs, relative to the lake's data folder. [metadata] is the catalog's
-- own database.
SELECT DISTINCT concat(schemas.path, tables.path, files.path) AS path
FROM (
    SELECT table_id, path FROM [metadata].ducklake_data_file
    UNION ALL
    SELECT table_id, path FROM [metadata].ducklake_delete_file
) AS files
INNER JOIN [metadata].ducklake_table AS tables USING (table_id)
INNER JOIN [metadata].ducklake_schema AS schemas USING (schema_id)
ORDER BY 1
