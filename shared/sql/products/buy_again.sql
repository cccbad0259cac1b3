-- What the customer bought, by how many orders of theirs hold it; of equal ones first what was bought last.
SELECT
    product_id,
    count(*)               AS score,
    count(*)               AS together,
    max(ordered_at)        AS last_at
FROM history
WHERE customer_id = $for_customer
GROUP BY product_id
