-- How many rows a rollup of differences has, and how many it needs: sales_days and customer_days.
SELECT
    'sales_days'                                   AS rollup,
    count(*)                                       AS rows,
    count(DISTINCT (zone, day, country, channel, currency)) AS needed
FROM lake.teal.sales_days
UNION ALL
SELECT
    'customer_days'                                AS rollup,
    count(*)                                       AS rows,
    count(DISTINCT (zone, dimension, value, day, previous_day)) AS needed
FROM lake.teal.customer_days
