-- Held rows as they were, but for what is told of some: these keep their place, their column and their rule.
SELECT
    row_number,
    dataset,
    column_name,
    rule,
    CASE WHEN list_contains($places, file_row_number) THEN NULL ELSE text END   AS text,
    CASE WHEN list_contains($places, file_row_number) THEN '' ELSE original END AS original
FROM read_parquet($uri, file_row_number => true)
ORDER BY file_row_number
