-- Rewrites the files of a table of whose rows at least this share is deleted, without those rows.
CALL ducklake_rewrite_data_files('lake', $table, schema => $schema, delete_threshold => $deleted_share)
