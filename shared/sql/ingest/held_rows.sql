-- The held rows of a staged table, as people look for them: where, which rule, what was written there.
SELECT
    CASE WHEN $is_primary THEN row_number END AS row_number,
    $dataset                                  AS dataset,
    held.column                               AS column_name,
    held.rule                                 AS rule,
    held.text                                 AS text,
    original                                  AS original
FROM held_now
ORDER BY row_number
