-- Every period of every group. Of more than $max_rows only a part is made, and `seen` is how many there would be.
WITH size AS (
    SELECT
        (SELECT count(*) FROM periods) AS period_count,
        (SELECT count(*) FROM known)   AS value_count
),

some_groups AS (
    SELECT *
    FROM groups
    LIMIT (SELECT $max_rows // greatest(period_count, 1) + 1 FROM size)
)

SELECT
    periods.* REPLACE (
        CASE
            WHEN period_count * value_count > $max_rows
                THEN [(period_count * value_count)::VARCHAR]
            ELSE periods.seen
        END AS seen
    ),
    some_groups.value,
    some_groups.label
FROM periods
CROSS JOIN some_groups
CROSS JOIN size
