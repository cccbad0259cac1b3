-- Customers with an order in the range, with the three values that RFM scores: days since the last order, orders, net sales.
SELECT
    customer_id,
    last_day                                                    AS last_order,
    date_diff('day', last_day, $local_until::TIMESTAMP::DATE)   AS recency_days,
    orders,
    net_sales
FROM dated
WHERE orders > 0
