-- A product's name is the last one it was sold under; its kind follows from the shape of the code. Names are far fewer than
-- lines, so the last sale of each is found first: as one text, which compares like date and invoice one after the other.
WITH names AS (
    SELECT
        StockCode,
        Description,
        max(InvoiceDate)                                                      AS updated_at,
        max(concat(InvoiceDate, chr(1), InvoiceNo)) FILTER (
            nullif(trim(Description), '') IS NOT NULL AND TRY_CAST(UnitPrice AS DOUBLE) > 0
        )                                                                     AS last_sale
    FROM raw
    GROUP BY StockCode, Description
)

SELECT
    trim(StockCode)                                                          AS product_id,
    max_by(trim(Description), concat(last_sale, chr(1), trim(Description)))
        FILTER (last_sale IS NOT NULL)                                        AS name,
    CASE
        WHEN regexp_full_match(trim(StockCode), '\d{5}[A-Za-z]*') THEN 'goods'
        WHEN upper(trim(StockCode)) IN ('POST', 'DOT', 'C2')      THEN 'shipping'
        WHEN starts_with(trim(StockCode), 'gift_')                THEN 'gift_card'
        ELSE 'fee'
    END                                                                      AS kind,
    'GBP'                                                                    AS currency,
    max(updated_at)                                                          AS updated_at
FROM names
GROUP BY trim(StockCode)
