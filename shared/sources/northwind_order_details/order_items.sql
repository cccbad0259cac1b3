-- One row per line: a product comes once in an order. The discount becomes money off the line.
SELECT
    _row,
    "orderID"   AS order_id,
    "productID" AS line_id,
    "productID" AS product_id,
    "quantity"  AS quantity,
    "unitPrice" AS unit_price,
    (TRY_CAST("quantity" AS INTEGER) * TRY_CAST("unitPrice" AS DECIMAL(18, 4)) * TRY_CAST("discount" AS DECIMAL(9, 4)))
        ::DECIMAL(18, 4)::VARCHAR AS discount,
    CASE
        WHEN TRY_CAST("quantity" AS DOUBLE) * TRY_CAST("unitPrice" AS DOUBLE) = 0 THEN 'zero'
        ELSE 'sale'
    END         AS line_type
FROM raw
