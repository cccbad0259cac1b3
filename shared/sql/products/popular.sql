-- The products by the share of all orders that hold them.
SELECT
    product_id,
    count(*) / (SELECT count(DISTINCT order_id) FROM history)    AS score,
    count(*)                                                     AS together
FROM history
GROUP BY product_id
