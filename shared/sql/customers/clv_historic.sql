-- What each customer of `dated` brought to date, in one currency; _seen has all there are.
WITH brought AS (
    SELECT
        customer_id,
        coalesce(currency, $default_currency)                                    AS named,
        min(first_day)                                                           AS first_day,
        max(last_day)                                                            AS last_day,
        sum(orders)                                                              AS orders,
        sum(gross_sales - discounts + returns)::DECIMAL(18, 4)                   AS net
    FROM dated
    WHERE $currency::VARCHAR IS NULL OR coalesce(currency, $default_currency) = $currency
    GROUP BY ALL
),

tiered AS (
    SELECT
        *,
        1 + 4 * (rank() OVER (ORDER BY net DESC) - 1) // count(*) OVER ()        AS tier
    FROM brought
    WHERE orders > 0
),

seen AS (
    SELECT list(DISTINCT named ORDER BY named) AS seen
    FROM tiered
)

SELECT
    tiered.customer_id                                                           AS customer_id,
    customers.name                                                               AS label,
    first_day                                                                    AS first_order,
    last_day                                                                     AS last_order,
    NULL::INTEGER                                                                AS purchase_days,
    net                                                                          AS net_sales,
    NULL::DOUBLE                                                                 AS alive,
    NULL::DOUBLE                                                                 AS expected_orders,
    NULL::INTEGER                                                                AS expected_orders_low,
    NULL::INTEGER                                                                AS expected_orders_high,
    NULL::DECIMAL(18, 4)                                                         AS expected_order_value,
    NULL::DECIMAL(18, 4)                                                         AS expected_revenue,
    (net * $margin)::DECIMAL(18, 4)                                              AS lifetime_value,
    tier::INTEGER                                                                AS tier,
    seen                                                                         AS _seen
FROM tiered
CROSS JOIN seen
LEFT JOIN customers ON $sees_personal AND customers.customer_id = tiered.customer_id
WHERE ($customer::VARCHAR[] IS NULL OR list_contains($customer, tiered.customer_id))
    AND ($tier::INTEGER[] IS NULL OR list_contains($tier, tier))
ORDER BY lifetime_value DESC, customer_id
