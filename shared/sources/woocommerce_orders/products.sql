-- Products by SKU (or name) as they were last sold.
SELECT
    coalesce("SKU", "Item Name")                                      AS product_id,
    max_by("Item Name", ("Order Date", "Item Name"))                  AS name,
    max_by("Category", ("Order Date", "Category"))                    AS category,
    max("Order Date")                                                 AS updated_at
FROM raw
WHERE coalesce("SKU", "Item Name") IS NOT NULL
GROUP BY coalesce("SKU", "Item Name")
