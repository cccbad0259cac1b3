-- A customer as the last line tells.
SELECT
    coalesce(customer_id, lower(email))                          AS customer_id,
    max_by(email, ordered_at) FILTER (email IS NOT NULL)         AS email,
    max_by(customer_name, ordered_at) FILTER (customer_name IS NOT NULL) AS name,
    max_by(country, ordered_at) FILTER (country IS NOT NULL)     AS country,
    max_by(city, ordered_at) FILTER (city IS NOT NULL)           AS city,
    max(ordered_at)                                              AS updated_at
FROM raw
WHERE coalesce(customer_id, email) IS NOT NULL
GROUP BY coalesce(customer_id, lower(email))
