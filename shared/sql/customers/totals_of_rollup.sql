-- What each customer bought in all, and when, from the rollup of customers: like customers/totals where no time, country, channel
-- or kind is left out. A customer of whom there are only lines that are left out is not among them.
SELECT
    customer_id,
    min(first_at)                                                                        AS first_at,
    max(last_at)                                                                         AS last_at,
    sum(orders)::BIGINT                                                                  AS orders,
    sum(gross_sales)                                                                     AS gross_sales,
    sum(returns)                                                                         AS returns,
    sum(gross_sales - discounts + returns + CASE WHEN $adjustments THEN adjustments ELSE 0 END) AS net_sales,
    sum(units)::BIGINT                                                                   AS units,
    min(coalesce(currency, $default_currency))                                           AS lowest_currency,
    max(coalesce(currency, $default_currency))                                           AS highest_currency,
    NULL::VARCHAR                                                                        AS missing_rate
FROM teal.customer_totals
WHERE (with_sales > 0 OR ($adjustments AND with_adjustments > 0) OR ($zeros AND with_zeros > 0))
    AND ($currency::VARCHAR IS NULL OR coalesce(currency, $default_currency) = $currency)
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
    AND $range_from::TIMESTAMPTZ IS NULL
GROUP BY customer_id
