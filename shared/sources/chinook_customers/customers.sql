-- One row per customer.
SELECT
    _row,
    "CustomerId"                       AS customer_id,
    "Email"                            AS email,
    concat_ws(' ', "FirstName", "LastName") AS name,
    "City"                             AS city,
    "Country"                          AS country
FROM raw
