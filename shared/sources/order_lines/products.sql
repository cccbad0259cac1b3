-- A product as the last line tells.
SELECT
    coalesce(product_id, product_name)                           AS product_id,
    max_by(coalesce(product_name, product_id), (ordered_at, coalesce(product_name, product_id))) AS name,
    max_by(category, ordered_at) FILTER (category IS NOT NULL)   AS category,
    max_by(brand, ordered_at) FILTER (brand IS NOT NULL)         AS brand,
    max(ordered_at)                                              AS updated_at
FROM raw
WHERE coalesce(product_id, product_name) IS NOT NULL
GROUP BY coalesce(product_id, product_name)
