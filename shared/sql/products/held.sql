-- Which products each order holds, each once however many lines it has.
SELECT DISTINCT order_id, product_id
FROM facts
WHERE is_order AND product_id IS NOT NULL
