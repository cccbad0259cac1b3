-- What the orders of the window and of the one before it come to, goods alone, with what was taken off an order as a whole.
SELECT
    customer_id,
    country,
    channel,
    currency,
    ordered_at >= $now_at                     AS is_now,
    is_order,
    gross_sales,
    discounts,
    gross_sales - discounts + returns         AS net_sales,
    units
FROM facts
