-- Of the orders of a product in both windows, how many are now: by chance as many as of all products together, and no less (of a
-- product that rises; no more of one that falls) than half, as of one that stays as it is.
WITH shop AS (
    SELECT sum(orders_now) / nullif(sum(orders_now + orders_before), 0) AS share_of_all
    FROM sold_products
)

SELECT
    *,
    CASE WHEN orders_now > orders_before THEN greatest(share_of_all, 0.5) ELSE least(share_of_all, 0.5) END    AS share,
    orders_now                                                                      AS hits,
    orders_now + orders_before                                                      AS cases,
    count(*) OVER ()                                                                AS tests
FROM sold_products
CROSS JOIN shop
WHERE $knows_before AND orders_now + orders_before >= $min_orders
