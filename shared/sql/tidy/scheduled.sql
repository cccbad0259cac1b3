-- Files that no snapshot needs any more since ``schedule_start``: merged into others, or last read by an expired snapshot.
SELECT
    data_file_id,
    path,
    NOT path_is_relative AS is_uri,
    schedule_start
FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion
ORDER BY data_file_id
