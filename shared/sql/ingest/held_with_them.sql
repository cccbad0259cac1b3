-- The rows of a file that break no rule and are held all the same, because the upload is; [numbered] gives their places.
SELECT
    row_number AS row_number,
    $dataset   AS dataset,
    ''         AS column_name,
    $reason    AS rule,
    NULL       AS text,
    ''         AS original
FROM ([numbered])
ORDER BY row_number
