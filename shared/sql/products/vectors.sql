-- Each product as a vector: which customers bought it, or with $by_orders, which orders hold it.
SELECT DISTINCT
    CASE WHEN $by_orders THEN order_id ELSE customer_id END    AS dimension,
    product_id
FROM history
WHERE $by_orders OR customer_id IS NOT NULL
