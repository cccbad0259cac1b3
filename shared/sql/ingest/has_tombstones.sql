-- Whether any row was ever put into the table of tombstones, from the catalog's own statistics.
SELECT count(*)
FROM __ducklake_metadata_lake.ducklake_table_stats
INNER JOIN __ducklake_metadata_lake.ducklake_table USING (table_id)
WHERE table_name = 'tombstones' AND record_count > 0
