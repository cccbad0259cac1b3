-- The products that enough orders of the window hold together, both ways; from the sets that products/affinity counts. In orders
-- of unequal size any two products are together more often than their shares say: by `spread`, Σ s(s − 1) / n over (Σ s / n)².
WITH sizes AS (
    SELECT greatest(1, sum(size * (size - 1)) * count(*) / (sum(size) * sum(size))) AS spread
    FROM baskets
    WHERE size <= $max_basket
),

both_ways AS (
    SELECT items, orders FROM sets WHERE len(items) = 2
    UNION ALL
    SELECT list_reverse(items), orders FROM sets WHERE len(items) = 2
)

SELECT
    one.product_id                                       AS antecedent,
    other.product_id                                     AS consequent,
    one.orders                                           AS antecedent_orders,
    other.orders                                         AS consequent_orders,
    both_ways.orders                                     AS set_orders,
    all_orders,
    (SELECT count(*) * (count(*) - 1) FROM items)        AS tests,
    spread
FROM both_ways
CROSS JOIN basket_counts
CROSS JOIN sizes
INNER JOIN items AS one ON one.item = both_ways.items[1]
INNER JOIN items AS other ON other.item = both_ways.items[2]
UNION ALL
-- Too many pairs are not counted: a row that only says so.
SELECT
    NULL           AS antecedent,
    NULL           AS consequent,
    0              AS antecedent_orders,
    0              AS consequent_orders,
    0              AS set_orders,
    0              AS all_orders,
    candidates     AS tests,
    0              AS spread
FROM pairs_to_count
WHERE candidates > $max_pairs
