-- The reports of `dated` as they are: invalid rows, and missing ones among all values of the others.
SELECT
    *,
    NULL::VARCHAR                                                                               AS column_name,
    received - invalid                                                                          AS valid,
    (received - invalid) * len(list_filter(columns, lambda one: one.key <> '(row)'))            AS filled
FROM (
    SELECT
        *,
        coalesce(list_sum(list_transform(columns, lambda one: one.value.invalid)), 0)::BIGINT   AS invalid,
        coalesce(list_sum(list_transform(columns, lambda one: one.value.missing)), 0)::BIGINT   AS missing
    FROM dated
)
