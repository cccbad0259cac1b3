-- The rollup of customers by day of each value of one dimension, added up, like kept_days.
SELECT zone, value, day, previous_day, sum(customers)::BIGINT AS customers
FROM teal.customer_days
WHERE dimension = '{dimension}'
GROUP BY zone, value, day, previous_day
ORDER BY day
