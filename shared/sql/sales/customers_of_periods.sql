-- Customers of each period of `days`: on each of its days, those who had not bought since it began. Of a first period that the
-- range cuts, also those who had, before the range.
SELECT
    bucket,
    NULL::BOOLEAN  AS value,
    sum(customers) AS customers
FROM (
    SELECT
        bucket,
        CASE $customers_of
            WHEN 'day' THEN customers_of_day
            WHEN 'week' THEN customers_of_week
            WHEN 'month' THEN customers_of_month
            WHEN 'quarter' THEN customers_of_quarter
            ELSE customers_of_year
        END AS customers
    FROM days
    UNION ALL
    SELECT bucket, customers
    FROM cut_days
)
GROUP BY bucket
