-- Customers by the period of their first order, and what they did in each period after it, oldest cohort first. Reads `dated`:
-- facts with their period as `bucket`. A period that is not over has no cell.
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
),

cells AS MATERIALIZED (
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
),

-- A cohort's first period holds all of its customers.
grid AS (
    SELECT
        cohort,
        customers AS size,
        unnest(
            generate_series(0, least($periods, date_diff($grain, cohort, date_trunc($grain, $local_last::TIMESTAMP))))
        )         AS "offset"
    FROM cells
    WHERE "offset" = 0
),

filled AS (
    SELECT
        cohort,
        "offset",
        size,
        coalesce(customers, 0)                                          AS active,
        size - coalesce(sum(gone) OVER before, 0)                       AS staying,
        coalesce(orders, 0)                                             AS orders,
        coalesce(net_sales, 0)                                          AS net_sales,
        sum(coalesce(net_sales, 0)) OVER so_far                         AS net_so_far,
        cohort + CAST($step AS INTERVAL) * ("offset" + 1) <= $local_until::TIMESTAMP AS is_over
    FROM grid
    LEFT JOIN cells USING (cohort, "offset")
    WINDOW
        before AS (PARTITION BY cohort ORDER BY "offset" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        so_far AS (PARTITION BY cohort ORDER BY "offset" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),

-- Orders of several currencies can be counted, but not added up.
looked AS (
    SELECT
        CASE
            WHEN $metric IN ('net_sales', 'ltv') THEN [min(lowest_currency), max(highest_currency), min(missing_rate), $until]
            ELSE [NULL, NULL, NULL, $until]
        END AS seen
    FROM cells
)

SELECT
    cohort::DATE                                                        AS cohort,
    "offset"::INTEGER                                                   AS "offset",
    size,
    CASE WHEN $unbounded THEN staying ELSE active END::BIGINT           AS customers,
    orders::BIGINT                                                      AS orders,
    CASE
        WHEN NOT is_over THEN NULL
        WHEN $metric = 'retention' THEN round(CASE WHEN $unbounded THEN staying ELSE active END / size, 6)::DECIMAL(24, 6)
        WHEN $metric = 'orders' THEN orders::DECIMAL(24, 6)
        WHEN $metric = 'net_sales' THEN net_sales::DECIMAL(24, 6)
        ELSE round(net_so_far / size, 6)::DECIMAL(24, 6)
    END                                                                 AS cell,
    seen                                                                AS _seen
FROM filled
CROSS JOIN looked
ORDER BY cohort, "offset"
