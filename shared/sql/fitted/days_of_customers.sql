-- What customers spent on the days on which they bought in $currency, less what they gave back on them; reads `dated`.
SELECT
    customer_id,
    day,
    sum(gross_sales - discounts + returns) AS value
FROM dated
WHERE customer_id IS NOT NULL
    AND coalesce(currency, $default_currency) = $currency
GROUP BY customer_id, day
HAVING bool_or(counts_order)
