-- Products with fewer orders than in the window before, and than with the fall of all others: what they earned less.
SELECT
    'falling'                                                                                         AS kind,
    format(
        'Falling: {} had {:,} orders, {:,} before; net sales {:,.2f}{}, {:,.2f}{} before',
        coalesce(name, product_id), orders_now, orders_before, net_now, unit, net_before, unit
    )                                                                                                 AS title,
    'product'                                                                                         AS subject_type,
    [product_id]                                                                                      AS subject_ids,
    [name]                                                                                            AS subject_names,
    net_before * share / (1 - share) - net_now                                                        AS money_at_stake,
    MAP {'orders': orders_now, 'orders_before': orders_before}                                        AS counts,
    MAP {'net_sales': net_now::DECIMAL(18, 4), 'net_sales_before': net_before::DECIMAL(18, 4)}        AS amounts,
    MAP {
        'growth_of_others': round(share_of_others / nullif(1 - share_of_others, 0) - 1, 6),
        'chance': chance
    }                                                                                                 AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'net sales of the period before (× fall of the orders of all others, where they fell) − net sales'               AS how,
    format(
        'fewer orders than before, and than with the fall of all others, with chance ≤ {}; {} orders or more in both periods',
        $significance, $min_orders
    )                                                                                                 AS threshold,
    '/v1/products/detail?product=' || url_encode(product_id) || $window_money_query                   AS look_further
FROM sold_trends
CROSS JOIN whole
LEFT JOIN products USING (product_id)
WHERE NOT is_more AND chance <= $significance AND orders_now < orders_before
