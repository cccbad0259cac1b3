-- What is at stake of each customer: the risk that they left, and what they would bring within the horizon if they did not.
WITH expected AS (
    SELECT
        *,
        1 - alive                                                                AS risk,
        orders[$place] * order_value / nullif(alive, 0)                          AS if_alive
    FROM teal.lifetime_values
    WHERE currency = $currency
        AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
)

SELECT
    expected.customer_id                                                         AS customer_id,
    customers.name                                                               AS label,
    first_day                                                                    AS first_order,
    last_day                                                                     AS last_order,
    $until::DATE - last_day                                                      AS days_since,
    purchase_days,
    net_sales,
    round(alive, 6)                                                              AS alive,
    round(risk, 6)                                                               AS churn_risk,
    (if_alive * $margin::DOUBLE)::DECIMAL(18, 4)                                 AS revenue_if_alive,
    (risk * if_alive * $margin::DOUBLE)::DECIMAL(18, 4)                          AS value_at_risk,
    tier
FROM expected
LEFT JOIN customers ON $sees_personal AND customers.customer_id = expected.customer_id
WHERE risk BETWEEN $min_risk AND $max_risk
ORDER BY value_at_risk DESC NULLS LAST, churn_risk DESC, customer_id
