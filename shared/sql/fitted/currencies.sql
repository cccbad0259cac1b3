-- The currencies that customers bought in, most customers first.
SELECT coalesce(currency, $default_currency)
FROM lake.teal.customer_totals
WHERE orders > 0
GROUP BY 1
ORDER BY count(*) DESC, 1
