-- Writes rows and deletions that are still inside the catalog into files; one row per table that had any.
CALL ducklake_flush_inlined_data('lake')
