-- The `cells` of a breakdown with what their row and their column are called. Of more than $max_cells `seen` is how many
-- there are.
SELECT
    cells.bucket                                                AS bucket,
    cells.value                                                 AS value,
    row_names.value                                             AS row_value,
    row_names.label                                             AS row_label,
    row_names.is_other                                          AS row_is_other,
    column_names.value                                          AS column_value,
    column_names.label                                          AS column_label,
    column_names.is_other                                       AS column_is_other,
    coalesce(row_names.complete, column_names.complete)         AS complete,
    CASE WHEN count(*) OVER () > $max_cells THEN [(count(*) OVER ())::VARCHAR] ELSE whole.seen END AS seen
FROM cells
INNER JOIN row_names ON row_names.place = cells.bucket
INNER JOIN column_names ON column_names.place = cells.value
CROSS JOIN whole
