-- Customers by value of a dimension, of each period of days or of the range: on each day, those who had not bought of that value
-- since the period or the range began.
SELECT
    bucket,
    value,
    sum(customers) AS customers
FROM customers_of_days
WHERE previous_day IS NULL OR previous_day < greatest($from_day::DATE, date_trunc($customers_of::VARCHAR, day))
GROUP BY bucket, value
