-- How much there is to learn from: products in orders, and customers with two orders or more.
SELECT
    count(*)                                                                                AS interactions,
    (
        SELECT count(*)
        FROM (
            SELECT customer_id
            FROM history
            WHERE customer_id IS NOT NULL
            GROUP BY customer_id
            HAVING count(DISTINCT order_id) >= 2
        )
    )                                                                                       AS repeat_customers
FROM history
