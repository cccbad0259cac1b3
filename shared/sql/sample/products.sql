-- What is sold. The product of rank n is of department n % 12. Ranks come in fours: one that always sells, one that sells in
-- the season of its department (a bit for each month), another that always sells, and one that is new at some time. In
-- place of a product that is out of season, one of another department is bought; in place of one that is not there yet,
-- the one before it (`instead`). After the goods, two services.
CREATE TABLE products AS
WITH departments AS (
    SELECT
        unnest(range(len($departments)))::INTEGER AS department,
        unnest($departments)                      AS department_name,
        unnest($nouns)                            AS nouns,
        unnest($prices)::INTEGER                  AS median,
        unnest($seasons)::INTEGER                 AS season
),

goods AS (
    SELECT
        product::INTEGER                                            AS product,
        (product % len($departments))::INTEGER                      AS department,
        (product // len($departments) % 4)::INTEGER                 AS turn,
        below(draw('noun', product), 4)                             AS noun
    FROM range($goods) AS ids(product)
)

SELECT
    product,
    $adjectives[1 + below(draw('adjective', product), len($adjectives))] || ' ' || lower(nouns[1 + noun])
        || ' ' || (100 + product // len($departments))              AS name,
    'K' || (department * 10 + noun + 11)::VARCHAR                   AS category_id,
    department_name || ' / ' || nouns[1 + noun]                     AS category,
    $brands[1 + below(draw('brand', product), len($brands))]        AS brand,
    'goods'                                                         AS kind,
    (median * shapes.value // 1000)::INTEGER                        AS list_price,
    350 + below(draw('cost', product), 400)                         AS cost_share,
    CASE WHEN turn = 3 THEN below(draw('new', product), $seconds) ELSE 0 END AS launched,
    CASE
        WHEN turn = 3 THEN product - len($departments)
        WHEN turn = 1 THEN product - len($departments) - department + (department + 2) % len($departments)
        ELSE product
    END::INTEGER                                                    AS instead,
    CASE WHEN turn = 1 THEN season ELSE 0 END                       AS season,
    CASE WHEN chance(draw('comes back', product), 60) THEN 6 ELSE 1 END AS comes_back
FROM goods
INNER JOIN departments USING (department)
INNER JOIN shapes ON shape = 'price' AND slot = quantile(draw('price', product))
UNION ALL
SELECT $goods, 'Gift wrapping', NULL, 'Services', NULL, 'service', 350, 400, 0, $goods, 0, 1
UNION ALL
SELECT $goods + 1, 'Gift card', NULL, 'Services', NULL, 'gift_card', 2500, 1000, 0, $goods + 1, 0, 1
ORDER BY product
