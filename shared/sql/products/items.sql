-- The products that are in enough orders, numbered by id from 1.
SELECT
    product_id,
    row_number() OVER (ORDER BY product_id)::INTEGER    AS item,
    count(*)                                            AS orders
FROM held
INNER JOIN baskets USING (order_id)
WHERE size <= $max_basket
GROUP BY product_id
HAVING count(*) >= (SELECT least_orders FROM basket_counts)
