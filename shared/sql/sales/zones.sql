-- The time zones that the days of rollups were made in.
SELECT DISTINCT zone
FROM teal.sales_days
