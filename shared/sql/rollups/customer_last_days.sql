-- When the touched customers last bought now, in each country, through each channel and in each currency. Reads
-- known_last_days, changed_totals, moved_customers and moved_totals.
SELECT
    customer_id,
    country,
    channel,
    currency,
    max(last_at) AS last_at
FROM (
    SELECT customer_id, country, channel, currency, last_at
    FROM known_last_days
    WHERE customer_id NOT IN (FROM moved_customers)
    UNION ALL
    SELECT customer_id, country, channel, currency, ordered_at
    FROM changed_totals
    WHERE counts_order AND sign > 0 AND customer_id IS NOT NULL AND customer_id NOT IN (FROM moved_customers)
    UNION ALL
    SELECT customer_id, country, channel, currency, ordered_at
    FROM moved_totals
    WHERE counts_order AND is_after
)
GROUP BY ALL
ORDER BY customer_id
