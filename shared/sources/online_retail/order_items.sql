-- Every row is one line. The line's id is its stock code, numbered from the second line of the same code in an invoice:
-- rows of the same code are told apart by their order in the file, and only they are numbered (2 % of all rows).
WITH repeated AS (
    SELECT InvoiceNo, StockCode
    FROM raw
    GROUP BY ALL
    HAVING count(*) > 1
),

numbered AS (
    SELECT _row, row_number() OVER (PARTITION BY InvoiceNo, StockCode ORDER BY _row) AS occurrence
    FROM raw
    SEMI JOIN repeated USING (InvoiceNo, StockCode)
)

SELECT
    raw._row,
    InvoiceNo                   AS order_id,
    CASE WHEN occurrence > 1 THEN concat(trim(StockCode), ':', occurrence) ELSE trim(StockCode) END AS line_id,
    trim(StockCode)             AS product_id,
    Description                 AS description,
    Quantity                    AS quantity,
    UnitPrice                   AS unit_price,
    CASE
        WHEN starts_with(InvoiceNo, 'A')                              THEN 'adjustment'
        WHEN TRY_CAST(UnitPrice AS DOUBLE) = 0                        THEN 'zero'
        WHEN starts_with(InvoiceNo, 'C')                              THEN 'return'
        WHEN TRY_CAST(Quantity AS DOUBLE) <= 0                        THEN 'zero'
        WHEN TRY_CAST(UnitPrice AS DOUBLE) < 0                        THEN 'adjustment'
        ELSE 'sale'
    END                         AS line_type,
    CASE
        WHEN regexp_full_match(trim(StockCode), '\d{5}[A-Za-z]*') THEN 'goods'
        WHEN upper(trim(StockCode)) IN ('POST', 'DOT', 'C2')      THEN 'shipping'
        WHEN starts_with(StockCode, 'gift_')                      THEN 'gift_card'
        ELSE 'fee'
    END                         AS kind,
    InvoiceDate                 AS ordered_at
FROM raw
LEFT JOIN numbered USING (_row)
