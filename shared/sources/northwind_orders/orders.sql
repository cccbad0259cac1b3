-- One row per order. Northwind has no currency; the text NULL is a missing value.
SELECT
    _row,
    "orderID"                     AS order_id,
    nullif("customerID", 'NULL')  AS customer_id,
    "orderDate"                   AS ordered_at,
    nullif("shipCountry", 'NULL') AS country,
    "freight"                     AS shipping
FROM raw
