-- Merges adjacent small files of a table; former snapshots stay readable, the merged-away files are scheduled.
CALL ducklake_merge_adjacent_files(
    'lake',
    $table,
    schema => $schema,
    max_file_size => $max_file_bytes,
    max_compacted_files => $max_new_files
)
