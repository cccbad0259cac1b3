-- Products in the same orders as those of `own`, more often than by chance: the score is the share of these orders that hold it.
WITH own_orders AS (
    SELECT DISTINCT order_id
    FROM history
    INNER JOIN own USING (product_id)
),

counts AS (
    SELECT
        product_id,
        count(own_orders.order_id)    AS together,
        count(*)                      AS orders
    FROM history
    LEFT JOIN own_orders USING (order_id)
    GROUP BY product_id
)

SELECT
    product_id,
    together / own_count    AS score,
    together
FROM counts
CROSS JOIN (SELECT count(*) AS own_count FROM own_orders)
CROSS JOIN (SELECT count(DISTINCT order_id) AS order_count FROM history)
WHERE together::HUGEINT * order_count > orders::HUGEINT * own_count
