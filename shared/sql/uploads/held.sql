-- Held rows of one upload as they were sent, after the position of a cursor. Rows without a number come last.
SELECT
    file_row_number AS place,
    row_number,
    dataset,
    column_name,
    rule,
    text,
    original
FROM read_parquet($uri, file_row_number => true)
WHERE file_row_number > $after
ORDER BY file_row_number
LIMIT $rows
