-- The lines of the window and of the one before it, from `facts`: the one place in which insights read single lines.
SELECT
    order_id,
    customer_id,
    product_id,
    ordered_at >= $now_at                     AS is_now,
    ordered_at >= $recent_at                  AS is_recent,
    gross_sales,
    discounts,
    returns,
    gross_sales - discounts + returns         AS net_sales,
    units,
    returned_units,
    is_order                                  AS is_sale
FROM facts
WHERE product_id IS NOT NULL
