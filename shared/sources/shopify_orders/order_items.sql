-- One row per line item; its id is the SKU (or the name), numbered from the second line of the same one in an order.
SELECT
    _row,
    "Name"                                                   AS order_id,
    coalesce(nullif(trim("Lineitem sku"), ''), "Lineitem name") || CASE
        WHEN row_number() OVER same_item > 1 THEN ':' || row_number() OVER same_item
        ELSE ''
    END                                                      AS line_id,
    coalesce(nullif(trim("Lineitem sku"), ''), "Lineitem name") AS product_id,
    "Lineitem name"                                          AS description,
    "Lineitem quantity"                                      AS quantity,
    "Lineitem price"                                         AS unit_price,
    "Lineitem discount"                                      AS discount,
    CASE
        WHEN TRY_CAST("Lineitem quantity" AS DOUBLE) * TRY_CAST("Lineitem price" AS DOUBLE) = 0 THEN 'zero'
        WHEN TRY_CAST("Lineitem quantity" AS DOUBLE) < 0 THEN 'return'
        ELSE 'sale'
    END                                                      AS line_type,
    CASE WHEN lower("Lineitem name") = 'tip' AND "Lineitem sku" IS NULL THEN 'fee' END AS kind
FROM raw
WINDOW same_item AS (
    PARTITION BY "Name", coalesce(nullif(trim("Lineitem sku"), ''), "Lineitem name") ORDER BY _row
)
