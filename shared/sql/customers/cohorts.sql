-- Customers by the period of their first order, and what they did in each period after it, oldest cohort first. Reads `cells`. A
-- period that is not over has no cell.
WITH grid AS (
    -- A cohort's first period holds all of its customers.
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
