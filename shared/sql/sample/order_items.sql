-- The order lines of a period, by the time of their order.
SELECT
    order_name(number, is_note) AS order_id,
    line_number::VARCHAR        AS line_id,
    product_name(product)       AS product_id,
    quantity,
    money(price)                AS unit_price,
    money(discount)             AS discount,
    line_type,
    instant(second)             AS ordered_at,
    instant(second)             AS updated_at
FROM items_now
ORDER BY billed_at, number, is_note, line_number
