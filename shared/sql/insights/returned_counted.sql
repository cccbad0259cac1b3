-- Of the orders with a product and the documents with which it came back, how many are the latter; by chance as many as of all
-- other products together.
SELECT
    *,
    sum(returning_orders) OVER () - returning_orders                                AS other_returns,
    sum(orders_now) OVER () - orders_now                                            AS other_orders,
    other_returns / nullif(other_returns + other_orders, 0)                         AS share,
    returning_orders                                                                AS hits,
    returning_orders + orders_now                                                   AS cases,
    count(*) FILTER (orders_now >= $min_orders) OVER ()                             AS tests
FROM sold_products
QUALIFY orders_now >= $min_orders
