-- Of the orders of a product in the window, how many are of its last part: by chance as many as of all other products, and no
-- less than that part is of the window.
WITH beside_others AS (
    SELECT
        *,
        sum(orders_recent) OVER () - orders_recent                                  AS others_recent,
        sum(orders_now) OVER () - orders_now                                        AS others_now,
        $recent_days / $window_days                                                 AS share_of_days
    FROM sold_products
)

SELECT
    *,
    greatest(coalesce(others_recent / nullif(others_now, 0), 0), share_of_days)     AS share,
    orders_recent                                                                   AS hits,
    orders_now                                                                      AS cases,
    count(*) OVER ()                                                                AS tests
FROM beside_others
WHERE orders_now >= $min_orders
