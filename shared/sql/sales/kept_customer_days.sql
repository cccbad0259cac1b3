-- The rollup of customers by day, added up, like kept_days.
SELECT zone, day, previous_day, sum(customers)::BIGINT AS customers
FROM teal.customer_days
WHERE dimension IS NULL
GROUP BY zone, day, previous_day
ORDER BY day
