-- One row per invoice.
SELECT
    _row,
    "InvoiceId"      AS order_id,
    "CustomerId"     AS customer_id,
    "InvoiceDate"    AS ordered_at,
    "BillingCountry" AS country,
    "Total"          AS total
FROM raw
