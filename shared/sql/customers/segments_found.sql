-- Customers, orders and net sales of each segment that there is. Prospects are customers who never bought; those who did, but not
-- in the range, are in none.
SELECT
    segment,
    count(*)            AS size,
    sum(orders)         AS orders,
    sum(net_sales)      AS net_sales,
    sum(recency_days)   AS days
FROM segmented
GROUP BY segment
UNION ALL
SELECT NULL, count(*), 0, sum(net_sales), NULL
FROM totals
WHERE orders = 0
UNION ALL
SELECT 'Prospects', count(*), 0, 0, NULL
FROM customers
ANTI JOIN buyers ON buyers.customer_id = customers.customer_id
WHERE (created_at IS NULL OR created_at < $until_at)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, country))
