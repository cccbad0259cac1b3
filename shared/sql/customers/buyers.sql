-- Customers who bought or gave back anything before the end of the range, by any filter.
SELECT customer_id
FROM teal.order_totals
WHERE is_sales AND ($to_at::TIMESTAMPTZ IS NULL OR ordered_at < $to_at)
