-- One row per category.
SELECT
    _row,
    "categoryID"   AS category_id,
    "categoryName" AS name
FROM raw
