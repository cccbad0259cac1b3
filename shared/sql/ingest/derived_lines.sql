-- Order lines of a file that numbers and types none. A line's id is its product, numbered from the second line of the same
-- product in an order; its type follows from the signs of quantity and price. Names in brackets are the file's columns.
SELECT
    _row,
    [rest],
    coalesce(
        nullif(trim([line_id]), ''),
        coalesce(nullif(trim([product_id]), ''), 'line') || CASE WHEN occurrence > 1 THEN ':' || occurrence ELSE '' END
    ) AS line_id,
    coalesce(
        nullif(trim([line_type]), ''),
        CASE
            WHEN TRY_CAST([quantity] AS DOUBLE) = 0 OR TRY_CAST([unit_price] AS DOUBLE) = 0 THEN 'zero'
            WHEN TRY_CAST([quantity] AS DOUBLE) < 0 THEN 'return'
            WHEN TRY_CAST([unit_price] AS DOUBLE) < 0 THEN 'adjustment'
            ELSE 'sale'
        END
    ) AS line_type
FROM (
    SELECT
        rowid + 1 AS _row,
        row_number() OVER (PARTITION BY [order_id], nullif(trim([product_id]), '') ORDER BY rowid) AS occurrence,
        *
    FROM numbered_file
)
