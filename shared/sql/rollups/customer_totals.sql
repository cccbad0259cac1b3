-- What the touched customers' orders add up to now. Of customers whose days are simply continued: what was known and what
-- changed; of moved ones, everything anew. Reads known_customers, changed_totals, moved_customers, moved_totals, purchase_days.
WITH parts AS (
    SELECT customer_id, currency, first_at, last_at, orders, gross_sales, discounts, returns, adjustments, units, returned_units
    FROM known_customers
    WHERE customer_id NOT IN (FROM moved_customers)
    UNION ALL BY NAME
    SELECT
        customer_id,
        currency,
        min(ordered_at) FILTER (counts_order AND sign > 0)    AS first_at,
        max(ordered_at) FILTER (counts_order AND sign > 0)    AS last_at,
        sum(sign * counts_order::INTEGER)                     AS orders,
        sum(sign * gross_sales)                               AS gross_sales,
        sum(sign * discounts)                                 AS discounts,
        sum(sign * returns)                                   AS returns,
        sum(sign * adjustments)                               AS adjustments,
        sum(sign * units)                                     AS units,
        sum(sign * returned_units)                            AS returned_units
    FROM (
        SELECT * EXCLUDE (is_after), 1 AS sign FROM moved_totals WHERE is_after
        UNION ALL BY NAME
        SELECT * FROM changed_totals WHERE customer_id IS NOT NULL AND customer_id NOT IN (FROM moved_customers)
    )
    GROUP BY ALL
)

SELECT
    customer_id,
    currency,
    min(first_at)                            AS first_at,
    max(last_at)                             AS last_at,
    sum(orders)::BIGINT                      AS orders,
    sum(gross_sales)::DECIMAL(18, 4)         AS gross_sales,
    sum(discounts)::DECIMAL(18, 4)           AS discounts,
    sum(returns)::DECIMAL(18, 4)             AS returns,
    sum(adjustments)::DECIMAL(18, 4)         AS adjustments,
    sum(units)::BIGINT                       AS units,
    sum(returned_units)::BIGINT              AS returned_units
FROM parts
GROUP BY ALL
ORDER BY customer_id, currency
