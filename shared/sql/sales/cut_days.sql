-- Days in the range of customers who had last bought in the same period, but before the range.
SELECT
    day,
    customers
FROM kept_customer_days
WHERE zone = $zone
    AND day >= $from_day::DATE
    AND day < date_trunc($customers_of, $from_day::DATE) + CAST($length AS INTERVAL)
    AND ($to_day::DATE IS NULL OR day < $to_day)
    AND previous_day >= date_trunc($customers_of, $from_day::DATE)
    AND previous_day < $from_day
