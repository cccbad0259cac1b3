-- A customer is known by e-mail; the last order's name, city and country count.
SELECT
    lower("Email (Billing)")                                          AS customer_id,
    lower("Email (Billing)")                                          AS email,
    max_by(
        nullif(concat_ws(' ', "First Name (Billing)", "Last Name (Billing)"), ''), ("Order Date", "Order Number")
    )                                                                 AS name,
    max_by("City (Billing)", ("Order Date", "Order Number"))          AS city,
    max_by(
        coalesce("Country Code (Billing)", "Country Code (Shipping)"), ("Order Date", "Order Number")
    )                                                                 AS country,
    max("Order Date")                                                 AS updated_at
FROM raw
WHERE "Email (Billing)" IS NOT NULL
GROUP BY lower("Email (Billing)")
