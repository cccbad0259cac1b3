-- The products with their ABC class: largest first by $abc_by, what comes before an item decides. The item that crosses the
-- first border is still A, the one that crosses the second still B. Borders are compared as integers: amounts in
-- ten-thousandths, shares in millionths. What is not positive adds nothing to the whole and is C.
WITH weighted AS (
    SELECT
        *,
        (
            10000 * CASE $abc_by
                WHEN 'net_sales' THEN net_sales
                WHEN 'gross_sales' THEN gross_sales
                WHEN 'units' THEN units
                ELSE margin
            END
        )::HUGEINT               AS weight
    FROM measured
),

cumulated AS (
    SELECT
        *,
        sum(greatest(weight, 0)) OVER (
            ORDER BY weight DESC NULLS LAST, product_id ROWS UNBOUNDED PRECEDING
        )::HUGEINT                                                           AS up_to,
        sum(greatest(weight, 0)) OVER ()::HUGEINT                            AS total
    FROM weighted
)

SELECT
    * EXCLUDE (weight, up_to, total),
    CASE
        WHEN weight IS NULL THEN NULL
        WHEN weight <= 0 THEN 'C'
        WHEN (up_to - weight) * 1000000 < total * $a_millionths THEN 'A'
        WHEN (up_to - weight) * 1000000 < total * ($a_millionths + $b_millionths) THEN 'B'
        ELSE 'C'
    END                                                                                     AS abc,
    CASE WHEN weight IS NOT NULL THEN round(up_to / nullif(total, 0), 6) END::DECIMAL(9, 6) AS cumulative_share,
    round(net_sales / nullif(sum(net_sales) OVER (), 0), 6)::DECIMAL(18, 6)                 AS share
FROM cumulated
