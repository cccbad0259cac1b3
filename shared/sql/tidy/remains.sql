-- What the lake's past still holds of each erased person: snapshots that show it, files that were written before its erasure
-- and hold deleted rows, and, once the catalog has forgotten it, files that only wait for their deletion.
WITH before AS (
    SELECT DISTINCT
        erased.person,
        files.data_file_id,
        files.table_id,
        files.end_snapshot
    FROM lake.teal.erased AS erased
    INNER JOIN __ducklake_metadata_lake.ducklake_data_file AS files ON files.begin_snapshot < erased.snapshot_id
    INNER JOIN __ducklake_metadata_lake.ducklake_delete_file AS deletions USING (data_file_id)
    WHERE erased.gone_at IS NULL
)

SELECT
    erased.person,
    erased.upload_id,
    erased.gone_after,
    erased.forgotten_at,
    (
        SELECT count(*)
        FROM __ducklake_metadata_lake.ducklake_snapshot AS snapshots
        WHERE snapshots.snapshot_id < erased.snapshot_id
    ) AS older_snapshots,
    (SELECT count(*) FROM before WHERE before.person = erased.person) AS files,
    (
        SELECT count(*)
        FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion AS scheduled
        WHERE scheduled.schedule_start <= erased.forgotten_at
    ) AS scheduled,
    (
        SELECT coalesce(list(DISTINCT schemas.schema_name || '.' || tables.table_name), [])
        FROM before
        INNER JOIN __ducklake_metadata_lake.ducklake_table AS tables ON tables.table_id = before.table_id
        INNER JOIN __ducklake_metadata_lake.ducklake_schema AS schemas USING (schema_id)
        WHERE before.person = erased.person AND before.end_snapshot IS NULL
    ) AS to_rewrite
FROM lake.teal.erased AS erased
WHERE erased.gone_at IS NULL
ORDER BY erased.erased_at, erased.person
