-- Customers who were worth much and have probably left: what they would bring within a year × the risk that they did.
WITH expected AS (
    SELECT
        *,
        1 - alive                                           AS risk,
        orders[$lifetime_place] * order_value / alive       AS if_alive
    FROM teal.lifetime_values
    WHERE currency = $lifetime_currency AND alive > 0 AND purchase_days >= 2
)

SELECT
    'win_back'                                                                                        AS kind,
    format(
        'Win back customer {}: {:.0f} % likely gone, worth {:,.2f}{} in {} days if not',
        expected.customer_id, 100 * risk, if_alive, unit, $lifetime_days
    )                                                                                                 AS title,
    'customer'                                                                                        AS subject_type,
    [expected.customer_id]                                                                            AS subject_ids,
    [customers.name]                                                                                  AS subject_names,
    risk * if_alive                                                                                   AS money_at_stake,
    MAP {'purchase_days': purchase_days, 'days_since_last': $lifetime_until::DATE - last_day}         AS counts,
    MAP {'net_sales_to_date': net_sales, 'revenue_if_alive': if_alive::DECIMAL(18, 4)}                AS amounts,
    MAP {'churn_risk': round(risk, 6)}                                                                AS rates,
    strftime($lifetime_until::DATE + 1, '%Y-%m-%d')                                                   AS period_from,
    strftime($lifetime_until::DATE + 1 + $lifetime_days, '%Y-%m-%d')                                  AS period_to,
    'churn risk (1 − P(alive)) × revenue expected within the period if the customer still is one'     AS how,
    format('churn risk from {} to {}, at least 2 purchase days', $min_risk, $max_risk)                AS threshold,
    '/v1/customers/churn-risk?customer=' || url_encode(expected.customer_id) || '&currency=' || $lifetime_currency
                                                                                                      AS look_further
FROM expected
CROSS JOIN (SELECT coalesce(' ' || nullif($lifetime_currency, 'none'), '') AS unit)
LEFT JOIN customers ON $sees_personal AND customers.customer_id = expected.customer_id
WHERE risk BETWEEN $min_risk AND $max_risk
    AND (SELECT currency IS NULL OR currency = $lifetime_currency FROM whole)
