-- Days on which customers bought, each with the day they had bought on before, of all orders and of those of the same country,
-- channel or currency: with sign 1 as it is now, with -1 as it was. A day before that is the same day: it was counted. Of customers
-- whose days are simply continued only what is new, after their last known days. Reads changed_totals, known_last_days,
-- moved_customers and moved_totals (all orders of moved customers, with is_after).
WITH days AS (
    -- An order that is merely told again adds no day.
    SELECT customer_id, country, channel, currency, day, true AS is_after, true AS counts
    FROM changed_totals
    WHERE counts_order AND customer_id IS NOT NULL AND customer_id NOT IN (FROM moved_customers)
    GROUP BY customer_id, country, channel, currency, day
    HAVING sum(sign) > 0
    UNION ALL
    SELECT customer_id, country, channel, currency, last_day AS day, true AS is_after, false AS counts
    FROM known_last_days
    WHERE customer_id NOT IN (FROM moved_customers)
    UNION ALL
    SELECT DISTINCT customer_id, country, channel, currency, day, is_after, true AS counts
    FROM moved_totals
    WHERE counts_order
)

-- What was known comes first, so that a day that was known is not counted again.
SELECT
    CASE WHEN is_after THEN 1 ELSE -1 END AS sign,
    customer_id,
    country,
    channel,
    currency,
    day,
    previous_day,
    previous_of_country,
    previous_of_channel,
    previous_of_currency
FROM (
    SELECT
        *,
        lag(day) OVER (PARTITION BY customer_id, is_after ORDER BY day, counts)              AS previous_day,
        lag(day) OVER (PARTITION BY customer_id, is_after, country ORDER BY day, counts)     AS previous_of_country,
        lag(day) OVER (PARTITION BY customer_id, is_after, channel ORDER BY day, counts)     AS previous_of_channel,
        lag(day) OVER (PARTITION BY customer_id, is_after, currency ORDER BY day, counts)    AS previous_of_currency
    FROM days
)
WHERE counts
