-- Net sales of each product in the range before, beside what its amounts have to be looked at for.
SELECT
    bucket AS product_id,
    net_sales,
    seen
FROM metrics
CROSS JOIN whole
