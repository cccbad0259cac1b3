-- What the customers of each cohort did in each period. Reads `dated`: facts with their period as `bucket`.
WITH activity AS MATERIALIZED (
    SELECT
        customer_id,
        bucket,
        count(*) FILTER (is_order)                             AS orders,
        sum(gross_sales - discounts + returns + adjustments)   AS net_sales,
        min(currency)                                          AS lowest_currency,
        max(currency)                                          AS highest_currency,
        min(missing_rate)                                      AS missing_rate
    FROM dated
    GROUP BY customer_id, bucket
),

lives AS (
    SELECT
        customer_id,
        min(bucket)   AS cohort,
        max(bucket)   AS last_bucket
    FROM activity
    WHERE orders > 0
    GROUP BY customer_id
)

SELECT
    cohort,
    date_diff($grain, cohort, bucket)          AS "offset",
    count(*) FILTER (orders > 0)               AS customers,
    count(*) FILTER (bucket = last_bucket)     AS gone,
    sum(orders)                                AS orders,
    sum(net_sales)                             AS net_sales,
    min(lowest_currency)                       AS lowest_currency,
    max(highest_currency)                      AS highest_currency,
    min(missing_rate)                          AS missing_rate
FROM activity
INNER JOIN lives USING (customer_id)
-- What was given back before the first order belongs to no cell.
WHERE bucket >= cohort
    AND ($local_from::TIMESTAMP IS NULL OR cohort >= date_trunc($grain, $local_from::TIMESTAMP))
GROUP BY cohort, bucket
