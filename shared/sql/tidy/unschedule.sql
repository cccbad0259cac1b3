-- Forgets scheduled files that are gone from the store.
DELETE FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion
WHERE list_contains($file_ids, data_file_id)
