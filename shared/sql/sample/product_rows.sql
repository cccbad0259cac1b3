-- The products as a dataset, with the prices of the last day.
SELECT
    product_name(product)                                         AS product_id,
    name,
    category,
    category_id,
    brand,
    kind,
    money(list_price::BIGINT * days.price // 1000 // 10 * 10 + 9) AS price,
    money(list_price::BIGINT * cost_share // 1000)                AS cost,
    'EUR'                                                         AS currency,
    instant(launched)                                             AS updated_at
FROM products
INNER JOIN days ON days.day = $seconds // 86400 - 1
ORDER BY product
