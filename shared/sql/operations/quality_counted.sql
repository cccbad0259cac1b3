-- The `parts` of reports added up; those from before the range only say how new the data were.
SELECT
    dataset,
    bucket,
    column_name,
    count(*) FILTER (in_range)                          AS uploads,
    count(*) FILTER (in_range AND is_held)              AS held_uploads,
    sum(received) FILTER (in_range)                     AS received,
    sum(valid) FILTER (in_range)                        AS valid,
    sum(accepted) FILTER (in_range)                     AS accepted,
    sum(held) FILTER (in_range)                         AS held,
    sum(duplicate) FILTER (in_range)                    AS duplicate,
    sum(missing) FILTER (in_range)                      AS missing,
    sum(filled) FILTER (in_range)                       AS filled,
    sum(missing_references) FILTER (in_range)           AS missing_references,
    max(newest_at)                                      AS newest_at
FROM parts
GROUP BY dataset, bucket, column_name
