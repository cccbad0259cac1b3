-- What the recommendations start from: the asked products that were ever sold, or the $max_own products that the customer
-- bought last.
SELECT product_id
FROM history
WHERE CASE WHEN $by_customer THEN customer_id = $for_customer ELSE list_contains($products, product_id) END
GROUP BY product_id
ORDER BY max(ordered_at) DESC, product_id
LIMIT $max_own
