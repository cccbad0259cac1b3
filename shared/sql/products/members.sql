-- The items of each order.
SELECT basket, item
FROM held
INNER JOIN baskets USING (order_id)
INNER JOIN items USING (product_id)
WHERE size <= $max_basket
