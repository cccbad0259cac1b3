-- An invoice is an order; 43 invoices have two timestamps a minute apart, the first one counts.
SELECT
    InvoiceNo                                         AS order_id,
    regexp_replace(any_value(CustomerID), '\.0$', '') AS customer_id,
    min(InvoiceDate)                                  AS ordered_at,
    'completed'                                       AS status,
    any_value(Country)                                AS country,
    'GBP'                                             AS currency,
    max(InvoiceDate)                                  AS updated_at
FROM raw
GROUP BY InvoiceNo
