-- A rule for each item of each set: who buys the others also buys this one. From `items`, `sets` and `basket_counts`, which may
-- have been stored. Thresholds are compared as integers: nothing is divided. When the sets were too many to count, one row
-- that only says so.
WITH parts AS (
    SELECT
        items                      AS both_items,
        orders                     AS set_orders,
        unnest(items)              AS consequent_item
    FROM sets
    WHERE len(items) > 1
),

rules AS (
    SELECT
        set_orders,
        given.items                AS antecedent_items,
        given.orders               AS antecedent_orders,
        wanted.product_id          AS consequent,
        wanted.orders              AS consequent_orders,
        all_orders
    FROM (SELECT *, list_filter(both_items, lambda item: item <> consequent_item) AS antecedent_items FROM parts) AS parts
    INNER JOIN sets AS given ON given.items = parts.antecedent_items
    INNER JOIN items AS wanted ON wanted.item = consequent_item
    CROSS JOIN basket_counts
    WHERE set_orders::HUGEINT * $confidence_denominator >= given.orders::HUGEINT * $confidence_numerator
        AND set_orders::HUGEINT * all_orders * $lift_denominator
            >= given.orders::HUGEINT * wanted.orders * $lift_numerator
),

named AS (
    SELECT
        [first.product_id, second.product_id, third.product_id][:len(antecedent_items)]            AS antecedent,
        [first_named.name, second_named.name, third_named.name][:len(antecedent_items)]            AS antecedent_names,
        consequent,
        consequent_named.name                                                                      AS consequent_name,
        set_orders,
        antecedent_orders,
        consequent_orders,
        all_orders
    FROM rules
    LEFT JOIN items AS first ON first.item = antecedent_items[1]
    LEFT JOIN items AS second ON second.item = antecedent_items[2]
    LEFT JOIN items AS third ON third.item = antecedent_items[3]
    LEFT JOIN products AS first_named ON first_named.product_id = first.product_id
    LEFT JOIN products AS second_named ON second_named.product_id = second.product_id
    LEFT JOIN products AS third_named ON third_named.product_id = third.product_id
    LEFT JOIN products AS consequent_named ON consequent_named.product_id = consequent
),

-- Each quotient is of two integers that a double holds exactly, so that equal ones are equal however they came about.
measured AS (
    SELECT
        *,
        set_orders / all_orders                                                                          AS exact_support,
        set_orders / antecedent_orders                                                                   AS exact_confidence,
        (set_orders * all_orders) / (antecedent_orders * consequent_orders)                              AS exact_lift,
        (set_orders * all_orders - antecedent_orders * consequent_orders) / (all_orders * all_orders)    AS exact_leverage,
        ((all_orders - consequent_orders) * antecedent_orders)
            / nullif(all_orders * (antecedent_orders - set_orders), 0)                                   AS exact_conviction
    FROM named
)

SELECT
    antecedent,
    antecedent_names,
    consequent,
    consequent_name,
    set_orders,
    antecedent_orders,
    consequent_orders,
    measured.all_orders                              AS all_orders,
    round(exact_support, 6)::DECIMAL(9, 6)           AS support,
    round(exact_confidence, 6)::DECIMAL(9, 6)        AS confidence,
    round(exact_lift, 6)::DECIMAL(18, 6)             AS lift,
    round(exact_leverage, 6)::DECIMAL(9, 6)          AS leverage,
    round(exact_conviction, 6)::DECIMAL(18, 6)       AS conviction,
    basket_work.seen                                 AS _seen
FROM basket_work
LEFT JOIN measured ON true
WHERE (antecedent IS NOT NULL AND ($antecedents::VARCHAR[] IS NULL OR list_has_any(antecedent, $antecedents)))
    OR seen[4] > $max_pairs OR seen[5] > $max_larger
ORDER BY
    CASE $sort
        WHEN 'lift' THEN exact_lift
        WHEN 'support' THEN exact_support
        WHEN 'confidence' THEN exact_confidence
        WHEN 'leverage' THEN exact_leverage
        ELSE coalesce(exact_conviction, 'inf'::DOUBLE)
    END DESC,
    set_orders DESC,
    antecedent,
    consequent
