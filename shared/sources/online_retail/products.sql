-- A product's name is the last one it was sold under; its kind follows from the shape of the code.
SELECT
    trim(StockCode)                        AS product_id,
    max_by(trim(Description), (InvoiceDate, InvoiceNo, trim(Description)))
        FILTER (nullif(trim(Description), '') IS NOT NULL AND TRY_CAST(UnitPrice AS DOUBLE) > 0) AS name,
    CASE
        WHEN regexp_full_match(trim(StockCode), '\d{5}[A-Za-z]*') THEN 'goods'
        WHEN upper(trim(StockCode)) IN ('POST', 'DOT', 'C2')      THEN 'shipping'
        WHEN starts_with(trim(StockCode), 'gift_')                THEN 'gift_card'
        ELSE 'fee'
    END                                    AS kind,
    'GBP'                                  AS currency,
    max(InvoiceDate)                       AS updated_at
FROM raw
GROUP BY trim(StockCode)
