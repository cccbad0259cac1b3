-- Products by SKU (or name) as they were last sold.
SELECT
    coalesce(nullif(trim("Lineitem sku"), ''), "Lineitem name") AS product_id,
    max("Lineitem name")                                        AS name,
    max("Vendor")                                               AS brand
FROM raw
GROUP BY 1
