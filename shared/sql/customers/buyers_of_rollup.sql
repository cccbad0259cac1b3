-- Customers who ever bought or gave back anything.
SELECT customer_id
FROM teal.customer_totals
WHERE with_sales > 0
