-- Customers whose days with a sale are not simply continued: an order went, a sale changed its time or place, or one lies before the
-- last known day. They are added up anew from all their orders. Reads changed_totals and known_customers.
SELECT customer_id
FROM (
    SELECT customer_id
    FROM changed_totals
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, currency, order_id
    HAVING max(sign) < 0
    UNION ALL
    SELECT customer_id
    FROM changed_totals
    WHERE customer_id IS NOT NULL AND counts_order
    GROUP BY customer_id, country, channel, currency, ordered_at
    HAVING sum(sign) < 0
    UNION ALL
    SELECT changed.customer_id
    FROM changed_totals AS changed
    INNER JOIN (SELECT customer_id, max(last_day) AS last_day FROM known_customers GROUP BY customer_id) AS known
        USING (customer_id)
    WHERE changed.counts_order AND changed.day < known.last_day
    GROUP BY changed.customer_id, changed.day
    HAVING sum(changed.sign) > 0
)
GROUP BY customer_id
