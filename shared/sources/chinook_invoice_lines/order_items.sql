-- One row per line.
SELECT
    _row,
    "InvoiceId"     AS order_id,
    "InvoiceLineId" AS line_id,
    "TrackId"       AS product_id,
    "Quantity"      AS quantity,
    "UnitPrice"     AS unit_price,
    'sale'          AS line_type
FROM raw
