-- What is told of held rows, a part of a file at a time.
SELECT
    file_row_number       AS place,
    dataset,
    column_name,
    text,
    original
FROM read_parquet($uri, file_row_number => true)
WHERE file_row_number >= $first AND file_row_number < $first + $rows AND (original <> '' OR text IS NOT NULL)
ORDER BY place
