-- An order is what its lines say of it; the first time counts.
SELECT
    order_id,
    min(ordered_at)                               AS ordered_at,
    min(coalesce(customer_id, lower(email)))      AS customer_id,
    min(country)                                  AS country,
    min(channel)                                  AS channel,
    min(currency)                                 AS currency,
    coalesce(min(lower(status)), 'completed')     AS status
FROM raw
GROUP BY order_id
