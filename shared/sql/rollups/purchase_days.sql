-- Days on which customers bought, each with the day they had bought on before: with sign 1 as it is now, with -1 as it was. Of
-- customers whose days are simply continued only what is new, after their last known day. Reads changed_totals,
-- known_customers, moved_customers and moved_totals (all orders of moved customers, with is_after).
WITH days AS (
    -- An order that is merely told again adds no day.
    SELECT customer_id, day, true AS is_after, true AS counts
    FROM changed_totals
    WHERE counts_order AND customer_id IS NOT NULL AND customer_id NOT IN (FROM moved_customers)
    GROUP BY customer_id, day
    HAVING sum(sign) > 0
    UNION ALL
    SELECT customer_id, max(last_day) AS day, true AS is_after, false AS counts
    FROM known_customers
    WHERE last_day IS NOT NULL AND customer_id NOT IN (FROM moved_customers)
    GROUP BY customer_id
    UNION ALL
    SELECT customer_id, day, is_after, true AS counts
    FROM moved_totals
    WHERE counts_order
),

-- A day that was known is not counted again.
once AS (
    SELECT customer_id, is_after, day, bool_and(counts) AS counts
    FROM days
    GROUP BY ALL
)

SELECT
    CASE WHEN is_after THEN 1 ELSE -1 END AS sign,
    customer_id,
    day,
    previous_day
FROM (
    SELECT *, lag(day) OVER (PARTITION BY customer_id, is_after ORDER BY day) AS previous_day
    FROM once
)
WHERE counts
