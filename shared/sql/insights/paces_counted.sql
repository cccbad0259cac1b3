-- Of the orders of a product in the window, how many are of its last part; by chance as many as of all products together.
SELECT
    *,
    sum(orders_recent) OVER () / nullif(sum(orders_now) OVER (), 0)                 AS share,
    orders_recent                                                                   AS hits,
    orders_now                                                                      AS cases,
    count(*) FILTER (orders_now >= $min_orders) OVER ()                             AS tests
FROM sold_products
QUALIFY cases >= $min_orders
