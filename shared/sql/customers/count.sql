-- Rows of the rollup of customers: one for each customer and currency.
SELECT count(*)
FROM teal.customer_totals
