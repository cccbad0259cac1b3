-- The first and the last instant of an order, in microseconds since 1970; NULL in a lake without orders.
SELECT
    min(epoch_us(ordered_at)) AS first_at,
    max(epoch_us(ordered_at)) AS last_at
FROM orders
