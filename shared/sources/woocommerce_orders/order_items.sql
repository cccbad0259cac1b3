-- One row per row of the file. Item Cost is the price of one after its discount and without tax; where the file also has the
-- price before, the difference is the line's discount. Quantities are already less what was refunded by item. A row without
-- an item (an order with more coupons than items) becomes a line of nothing.
SELECT
    _row,
    "Order Number"                                          AS order_id,
    coalesce("Item #", 'coupon:' || coalesce("Coupon Code", _row::VARCHAR)) AS line_id,
    coalesce("SKU", "Item Name")                            AS product_id,
    "Item Name"                                             AS description,
    CASE WHEN "Item #" IS NULL THEN '0' ELSE "Quantity (- Refund)" END AS quantity,
    CASE WHEN "Item #" IS NULL THEN '0' ELSE coalesce("Item Cost Before Discount", "Item Cost") END AS unit_price,
    (TRY_CAST("Quantity (- Refund)" AS INTEGER) * (
        TRY_CAST("Item Cost Before Discount" AS DECIMAL(18, 4)) - TRY_CAST("Item Cost" AS DECIMAL(18, 4))
    ))::DECIMAL(18, 4)::VARCHAR                             AS discount,
    CASE
        WHEN "Item #" IS NULL THEN 'zero'
        WHEN TRY_CAST("Quantity (- Refund)" AS DOUBLE) = 0 THEN 'zero'
        WHEN TRY_CAST(coalesce("Item Cost Before Discount", "Item Cost") AS DOUBLE) = 0 THEN 'zero'
        WHEN TRY_CAST("Quantity (- Refund)" AS DOUBLE) < 0 THEN 'return'
        ELSE 'sale'
    END                                                     AS line_type
FROM raw
