-- Order lines of a file that does not number or type all of them. A line's id is its product, numbered from the second line
-- of the same product in an order; its type follows from the signs of quantity and price, read as the judge reads them.
-- Names in brackets are the file's columns.
SELECT
    _row,
    [rest],
    coalesce(
        [line_id],
        coalesce(nullif(trim([product_id]), ''), 'line') || CASE WHEN occurrence > 1 THEN ':' || occurrence ELSE '' END
    ) AS line_id,
    coalesce(
        [line_type],
        CASE
            WHEN quantity_read = 0 OR price_read = 0 THEN 'zero'
            WHEN quantity_read < 0 THEN 'return'
            WHEN price_read < 0 THEN 'adjustment'
            ELSE 'sale'
        END
    ) AS line_type
FROM (
    SELECT
        rowid + 1 AS _row,
        [quantity] AS quantity_read,
        [unit_price] AS price_read,
        row_number() OVER (PARTITION BY [order_id], nullif(trim([product_id]), '') ORDER BY rowid) AS occurrence,
        *
    FROM numbered_file
)
