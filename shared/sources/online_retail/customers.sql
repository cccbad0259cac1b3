-- A customer's country is that of the last invoice. Invoices are far fewer than their lines, so they are made first.
WITH invoices AS (
    SELECT CustomerID, Country, InvoiceNo, max(InvoiceDate) AS InvoiceDate
    FROM raw
    WHERE nullif(trim(CustomerID), '') IS NOT NULL
    GROUP BY ALL
)

SELECT
    regexp_replace(CustomerID, '\.0$', '')    AS customer_id,
    max_by(Country, (InvoiceDate, InvoiceNo)) AS country,
    max(InvoiceDate)                          AS updated_at
FROM invoices
GROUP BY 1
