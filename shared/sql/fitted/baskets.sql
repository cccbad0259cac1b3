-- What was counted, in one table: the products, their pairs, and a row without either that says how many orders were looked at.
SELECT
    product_id         AS first_product,
    NULL::VARCHAR      AS second_product,
    orders
FROM items
UNION ALL
SELECT
    one.product_id,
    other.product_id,
    pairs.orders
FROM sets_2 AS pairs
INNER JOIN items AS one ON one.item = pairs.items[1]
INNER JOIN items AS other ON other.item = pairs.items[2]
UNION ALL
SELECT NULL, unnest(['all_orders', 'left_out_orders', 'least_orders', 'candidates']), unnest(seen[:4])
FROM (SELECT [seen[1], seen[3], seen[2], seen[4]] AS seen FROM basket_work)
