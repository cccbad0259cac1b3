-- The facts with the places of their row and their column, as `bucket` and `value`.
SELECT
    valued.* EXCLUDE (row_value, column_value),
    row_places.place        AS bucket,
    column_places.place     AS value
FROM valued
INNER JOIN row_places ON row_places.value IS NOT DISTINCT FROM valued.row_value
INNER JOIN column_places ON column_places.value IS NOT DISTINCT FROM valued.column_value
