-- A customer's country is that of the last invoice.
SELECT
    regexp_replace(CustomerID, '\.0$', '') AS customer_id,
    max_by(Country, (InvoiceDate, InvoiceNo)) AS country,
    max(InvoiceDate)                       AS updated_at
FROM raw
WHERE nullif(trim(CustomerID), '') IS NOT NULL
GROUP BY 1
