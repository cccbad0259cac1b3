-- What each customer brought to date in $currency; returns without a sale count too.
SELECT
    customer_id,
    sum(gross_sales - discounts + returns)::DECIMAL(18, 4) AS net_sales
FROM lake.teal.customer_totals
WHERE coalesce(currency, $default_currency) = $currency
GROUP BY customer_id
