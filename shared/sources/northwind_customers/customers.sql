-- One row per company.
SELECT
    _row,
    "customerID"              AS customer_id,
    "companyName"             AS name,
    nullif("city", 'NULL')    AS city,
    nullif("country", 'NULL') AS country
FROM raw
