-- Item-to-item cosines (Linden, Smith, York 2003), summed over the products of `own`: what two products have in common, by the
-- lengths of both. Each customer, or order, adds what its own products weigh, so that no pair of products is written down;
-- weights are decimals, whose sum does not depend on the order.
WITH sizes AS (
    SELECT product_id, count(*) AS size
    FROM vectors
    GROUP BY product_id
),

own_sizes AS (
    SELECT product_id, round(1 / sqrt(size), 12)::DECIMAL(18, 12) AS own_weight
    FROM own
    INNER JOIN sizes USING (product_id)
),

weights AS (
    SELECT dimension, sum(own_weight) AS weight
    FROM vectors
    INNER JOIN own_sizes USING (product_id)
    GROUP BY dimension
)

SELECT
    product_id,
    sum(weight - coalesce(own_weight, 0))::DOUBLE / sqrt(any_value(size))    AS score,
    count(*) FILTER (weight > coalesce(own_weight, 0))                       AS together
FROM vectors
INNER JOIN weights USING (dimension)
INNER JOIN sizes USING (product_id)
LEFT JOIN own_sizes USING (product_id)
GROUP BY product_id
