-- What the touched customers' orders add up to now. Of customers whose days are simply continued: what was known and what
-- changed; of moved ones, everything anew. Reads known_customers, changed_totals, moved_customers, moved_totals, purchase_days.
WITH parts AS (
    SELECT * EXCLUDE (last_day)
    FROM known_customers
    WHERE customer_id NOT IN (FROM moved_customers)
    UNION ALL BY NAME
    SELECT
        customer_id,
        currency,
        min(ordered_at) FILTER (counts_order AND sign > 0)    AS first_at,
        max(ordered_at) FILTER (counts_order AND sign > 0)    AS last_at,
        sum(sign * counts_order::INTEGER)                     AS orders,
        sum(gross_sales)                                      AS gross_sales,
        sum(discounts)                                        AS discounts,
        sum(returns)                                          AS returns,
        sum(adjustments)                                      AS adjustments,
        sum(units)                                            AS units,
        sum(returned_units)                                   AS returned_units,
        sum(sign * is_sales::INTEGER)                         AS with_sales,
        sum(sign * has_adjustment::INTEGER)                   AS with_adjustments,
        sum(sign * has_zero::INTEGER)                         AS with_zeros
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
    sum(returned_units)::BIGINT              AS returned_units,
    sum(with_sales)::BIGINT                  AS with_sales,
    sum(with_adjustments)::BIGINT            AS with_adjustments,
    sum(with_zeros)::BIGINT                  AS with_zeros
FROM parts
GROUP BY ALL
ORDER BY customer_id, currency
