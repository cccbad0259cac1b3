-- The products of every set, the set that is bought most often first.
SELECT list(product_name(product) ORDER BY place)
FROM sets
GROUP BY set
ORDER BY set
