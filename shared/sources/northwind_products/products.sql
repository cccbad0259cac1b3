-- One row per product.
SELECT
    _row,
    "productID"   AS product_id,
    "productName" AS name,
    "categoryID"  AS category_id,
    "unitPrice"   AS price
FROM raw
