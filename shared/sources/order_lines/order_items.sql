-- One row per line; its id is its product, numbered from the second line of the same product in an order.
SELECT
    _row,
    order_id,
    coalesce(product_id, product_name, 'line') || CASE
        WHEN row_number() OVER same_item > 1 THEN ':' || row_number() OVER same_item
        ELSE ''
    END                              AS line_id,
    coalesce(product_id, product_name) AS product_id,
    coalesce(product_name, product_id) AS description,
    quantity,
    unit_price,
    discount,
    CASE
        WHEN TRY_CAST(quantity AS DOUBLE) = 0 OR TRY_CAST(unit_price AS DOUBLE) = 0 THEN 'zero'
        WHEN TRY_CAST(quantity AS DOUBLE) < 0 THEN 'return'
        WHEN TRY_CAST(unit_price AS DOUBLE) < 0 THEN 'adjustment'
        ELSE 'sale'
    END                              AS line_type,
    ordered_at
FROM raw
WINDOW same_item AS (PARTITION BY order_id, coalesce(product_id, product_name, 'line') ORDER BY _row)
