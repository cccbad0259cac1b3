-- Held rows of one upload from its file beside the lake, by place.
SELECT
    row_number,
    dataset,
    column_name,
    rule,
    text,
    original
FROM read_parquet($uri)
ORDER BY row_number, dataset
LIMIT $limit
OFFSET $offset
