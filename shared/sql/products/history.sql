-- Which products each order holds, each once, and whose order it was.
SELECT
    order_id,
    product_id,
    any_value(customer_id)    AS customer_id,
    any_value(ordered_at)     AS ordered_at
FROM facts
WHERE is_order AND product_id IS NOT NULL
GROUP BY order_id, product_id
