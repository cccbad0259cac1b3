-- What is bought together: sets of two to four products that always sell, the first sets most often. A product is in one
-- set at most.
CREATE TABLE sets AS
WITH chosen AS (
    SELECT product, row_number() OVER (ORDER BY draw('in a set', product), product)::INTEGER - 1 AS place
    FROM products
    WHERE kind = 'goods' AND instead = product AND product >= 4 * $departments
)

SELECT
    (place // 4)::INTEGER AS set,
    (place % 4)::INTEGER  AS place,
    product
FROM chosen
WHERE place // 4 < $sets AND place % 4 < 2 + below(draw('size of set', place // 4), 3)
ORDER BY ALL
