-- The same of one currency, in which the rollup has one row per customer: nothing has to be added up.
SELECT
    customer_id,
    first_at,
    last_at,
    orders,
    gross_sales,
    returns,
    gross_sales - discounts + returns + CASE WHEN $adjustments THEN adjustments ELSE 0 END AS net_sales,
    units,
    $currency                                                                            AS lowest_currency,
    $currency                                                                            AS highest_currency,
    NULL::VARCHAR                                                                        AS missing_rate
FROM teal.customer_totals
WHERE (with_sales > 0 OR ($adjustments AND with_adjustments > 0) OR ($zeros AND with_zeros > 0))
    AND coalesce(currency, $default_currency) = $currency
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
    AND $range_from::TIMESTAMPTZ IS NULL
