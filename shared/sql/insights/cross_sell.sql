-- Pairs of products that go together, and who bought the one in the window but in neither window the other. The $max_rules rules
-- with most buyers of the first × confidence × price are looked at; of the two ways of a pair, the one with more money counts.
WITH buyers AS MATERIALIZED (
    SELECT customer_id, product_id, bool_or(is_now) AS is_now
    FROM sold_lines
    WHERE is_sale AND customer_id IS NOT NULL
    GROUP BY customer_id, product_id
),

likely AS MATERIALIZED (
    SELECT
        sold_rules.*,
        set_orders / antecedent_orders                       AS confidence,
        set_orders * all_orders / (antecedent_orders * consequent_orders) AS lift,
        (gross_now - discounts_now) / nullif(units_now, 0)   AS price,
        bought.customers
    FROM sold_rules
    INNER JOIN (SELECT product_id, count(*) AS customers FROM buyers WHERE is_now GROUP BY product_id) AS bought
        ON bought.product_id = antecedent
    INNER JOIN sold_products ON sold_products.product_id = consequent
    WHERE is_more AND chance <= $significance
    ORDER BY bought.customers * confidence * price DESC, antecedent, consequent
    LIMIT $max_rules
),

offered AS MATERIALIZED (
    SELECT antecedent, consequent, customer_id
    FROM likely
    INNER JOIN buyers ON product_id = antecedent AND is_now
),

already AS (
    SELECT antecedent, consequent, count(*) AS customers
    FROM offered
    INNER JOIN buyers ON buyers.customer_id = offered.customer_id AND buyers.product_id = consequent
    GROUP BY antecedent, consequent
),

missing AS (
    SELECT
        likely.*,
        likely.customers - coalesce(already.customers, 0)    AS without
    FROM likely
    LEFT JOIN already USING (antecedent, consequent)
)

SELECT
    'cross_sell'                                                                                      AS kind,
    format(
        'Offer {} to {:,} customers who bought {}: {:.0f} % of orders with it hold both, lift {:.1f}',
        coalesce(wanted.name, consequent), without, coalesce(given.name, antecedent),
        100 * confidence, lift
    )                                                                                                 AS title,
    'pair'                                                                                            AS subject_type,
    [antecedent, consequent]                                                                          AS subject_ids,
    [given.name, wanted.name]                                                                         AS subject_names,
    without * confidence * missing.price                                                              AS money_at_stake,
    MAP {
        'customers': without,
        'orders_with_both': set_orders,
        'orders_with_first': antecedent_orders,
        'orders_with_second': consequent_orders,
        'orders': all_orders
    }                                                                                                 AS counts,
    MAP {'mean_price_of_second': round(missing.price, 4)::DECIMAL(18, 4)}                             AS amounts,
    MAP {'confidence': round(confidence, 6), 'lift': round(lift, 6), 'chance': chance}  AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'customers who bought the first and not the second × confidence × mean net price of the second'   AS how,
    format('lift above 1 with chance ≤ {}, in {} orders or more', $significance, $min_orders)         AS threshold,
    '/v1/products/affinity?product=' || url_encode(antecedent) || '&min_support=0&min_confidence=0&min_orders='
        || $min_orders::VARCHAR || $window_query                                                      AS look_further
FROM missing
LEFT JOIN products AS given ON given.product_id = antecedent
LEFT JOIN products AS wanted ON wanted.product_id = consequent
QUALIFY row_number() OVER (
    PARTITION BY least(antecedent, consequent), greatest(antecedent, consequent)
    ORDER BY money_at_stake DESC NULLS LAST, antecedent
) = 1
