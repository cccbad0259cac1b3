-- What each customer is expected to bring: the entry of $place of the lists is that of the horizon.
WITH expected AS (
    SELECT
        *,
        orders[$place]                                                           AS expected_orders,
        list_inner_product(orders[1:$place], $weights::DOUBLE[])                 AS discounted_orders
    FROM teal.lifetime_values
    WHERE currency = $currency
        AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
        AND ($tier::INTEGER[] IS NULL OR list_contains($tier, tier))
)

SELECT
    expected.customer_id                                                         AS customer_id,
    customers.name                                                               AS label,
    first_day                                                                    AS first_order,
    last_day                                                                     AS last_order,
    purchase_days,
    net_sales,
    round(alive, 6)                                                              AS alive,
    round(expected_orders, 6)                                                    AS expected_orders,
    CASE $level WHEN '80' THEN low_80[$place] ELSE low_95[$place] END            AS expected_orders_low,
    CASE $level WHEN '80' THEN high_80[$place] ELSE high_95[$place] END          AS expected_orders_high,
    order_value::DECIMAL(18, 4)                                                  AS expected_order_value,
    (expected_orders * order_value)::DECIMAL(18, 4)                              AS expected_revenue,
    (discounted_orders * order_value * $margin::DOUBLE)::DECIMAL(18, 4)          AS lifetime_value,
    tier
FROM expected
LEFT JOIN customers ON $sees_personal AND customers.customer_id = expected.customer_id
ORDER BY lifetime_value DESC NULLS LAST, expected_orders DESC, customer_id
