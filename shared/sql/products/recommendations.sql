-- The best $count products: those of `found` where there is enough to learn from, then the popular ones, unless $fill is off
-- and there are others. `because` is the product of `own` that is nearest to it.
WITH refused AS (
    SELECT product_id
    FROM history
    WHERE $exclude_purchased AND customer_id = $for_customer
    UNION
    SELECT unnest($products::VARCHAR[])
),

enough AS (
    SELECT
        NOT $needs_experience
        OR (interactions >= $min_interactions AND repeat_customers >= $min_repeat_customers) AS is_enough
    FROM experience
),

by_rule AS (
    SELECT
        *,
        $type AS rule,
        row_number() OVER (ORDER BY score DESC, last_at DESC NULLS LAST, together DESC, product_id) AS place
    FROM found
    ANTI JOIN refused USING (product_id)
    WHERE together >= $min_together AND (SELECT is_enough FROM enough)
    QUALIFY place <= $count
),

filled AS (
    FROM by_rule
    UNION ALL BY NAME
    SELECT
        *,
        'popular' AS rule,
        $count + row_number() OVER (ORDER BY score DESC, product_id) AS place
    FROM popular
    ANTI JOIN refused USING (product_id)
    ANTI JOIN by_rule USING (product_id)
    WHERE $fill OR (SELECT count(*) = 0 FROM by_rule)
),

best AS (
    FROM filled
    ORDER BY place
    LIMIT $count
),

own_vectors AS MATERIALIZED (
    SELECT dimension, product_id
    FROM vectors
    SEMI JOIN own USING (product_id)
),

sizes AS (
    SELECT product_id, count(*) AS size
    FROM own_vectors
    GROUP BY product_id
),

best_vectors AS MATERIALIZED (
    SELECT dimension, product_id
    FROM vectors
    SEMI JOIN (FROM best WHERE $needs_experience AND rule <> 'popular') AS learned USING (product_id)
),

-- Of one recommended product all cosines have its own length in common, which is left out.
nearness AS (
    SELECT
        theirs.product_id,
        mine.product_id                             AS own_product,
        count(*) / sqrt(any_value(sizes.size))      AS cosine
    FROM best_vectors AS theirs
    INNER JOIN own_vectors AS mine ON mine.dimension = theirs.dimension AND mine.product_id <> theirs.product_id
    INNER JOIN sizes ON sizes.product_id = mine.product_id
    GROUP BY theirs.product_id, mine.product_id
),

reasons AS (
    SELECT product_id, first(own_product ORDER BY cosine DESC, own_product) AS because
    FROM nearness
    GROUP BY product_id
)

SELECT
    row_number() OVER (ORDER BY place)                     AS rank,
    product_id,
    products.name                                          AS product_name,
    coalesce(categories.name, products.category)           AS category,
    rule,
    round(score, 6)::DECIMAL(18, 6)                        AS score,
    together,
    because,
    [
        interactions,
        repeat_customers,
        (SELECT count(*) FROM own),
        (SELECT count(*) FROM by_rule)
    ]                                                      AS _seen
FROM best
CROSS JOIN experience
LEFT JOIN reasons USING (product_id)
LEFT JOIN products USING (product_id)
LEFT JOIN categories USING (category_id)
ORDER BY best.place
