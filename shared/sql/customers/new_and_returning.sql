-- Of each period of the range, what new and returning customers and guests bought. New is whose first order lies in the period,
-- or with $rule = 'order' the first order alone.
WITH told_apart AS (
    SELECT
        *,
        CASE
            WHEN customer_id IS NULL THEN 'guest'
            WHEN $rule = 'customer' AND bucket = first_bucket THEN 'new'
            WHEN $rule = 'order' AND ordered_at = first_at THEN 'new'
            ELSE 'returning'
        END AS who
    FROM dated
    LEFT JOIN first_orders USING (customer_id)
    WHERE $range_from::TIMESTAMPTZ IS NULL OR ordered_at >= $range_from
),

per_customer AS (
    SELECT
        bucket,
        who,
        customer_id,
        count(*) FILTER (is_order)                             AS orders,
        sum(gross_sales - discounts + returns + adjustments)   AS net_sales,
        min(currency)                                          AS lowest_currency,
        max(currency)                                          AS highest_currency,
        min(missing_rate)                                      AS missing_rate
    FROM told_apart
    GROUP BY bucket, who, customer_id
)

SELECT
    bucket,
    count(*) FILTER (who = 'new' AND orders > 0)            AS new_customers,
    count(*) FILTER (who = 'returning' AND orders > 0)      AS returning_customers,
    sum(orders) FILTER (who = 'new')                        AS new_orders,
    sum(orders) FILTER (who = 'returning')                  AS returning_orders,
    sum(orders) FILTER (who = 'guest')                      AS guest_orders,
    sum(net_sales) FILTER (who = 'new')                     AS new_net_sales,
    sum(net_sales) FILTER (who = 'returning')               AS returning_net_sales,
    sum(net_sales) FILTER (who = 'guest')                   AS guest_net_sales,
    min(lowest_currency)                                    AS lowest_currency,
    max(highest_currency)                                   AS highest_currency,
    min(missing_rate)                                       AS missing_rate
FROM per_customer
GROUP BY bucket
