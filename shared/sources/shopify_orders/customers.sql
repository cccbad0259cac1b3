-- A customer is known by e-mail; the last order's name and country count.
SELECT
    lower("Email")                                             AS customer_id,
    lower("Email")                                             AS email,
    max_by("Billing Name", "Created at")                       AS name,
    max_by("Billing City", "Created at")                       AS city,
    max_by(coalesce("Shipping Country", "Billing Country"), "Created at") AS country,
    max("Created at")                                          AS updated_at
FROM raw
WHERE "Email" IS NOT NULL
GROUP BY lower("Email")
