-- Customers of a range of days: those of each of its days who had not bought since it began.
SELECT
    0                AS bucket,
    NULL::BOOLEAN    AS value,
    sum(customers)   AS customers
FROM kept_customer_days
WHERE zone = $zone
    AND ($from_day::DATE IS NULL OR day >= $from_day)
    AND ($to_day::DATE IS NULL OR day < $to_day)
    AND (previous_day IS NULL OR previous_day < $from_day)
