-- The reports of `dated` column by column: rows that are invalid by it, and missing values among the rows that are valid.
SELECT
    * EXCLUDE (part),
    part.key                                                                                    AS column_name,
    part.value.missing                                                                          AS missing,
    received - part.value.invalid                                                               AS valid,
    -- A row is invalid by one column, and then not looked at for missing values.
    CASE WHEN part.key <> '(row)' THEN received - broken ELSE 0 END                             AS filled
FROM (
    SELECT
        *,
        unnest(columns)                                                                         AS part,
        coalesce(list_sum(list_transform(columns, lambda one: one.value.invalid)), 0)::BIGINT   AS broken
    FROM dated
)
