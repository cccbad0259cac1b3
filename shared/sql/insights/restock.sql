-- Products that sell faster in the last part of the window than before in it, more than all others do: at that pace the next
-- days need stock. What is in stock is not known.
SELECT
    'restock'                                                                                         AS kind,
    format(
        'Check stock of {}: {:,} orders in the last {} days, {:,} in the {} before them',
        coalesce(name, product_id), hits, $recent_days, cases - hits, $window_days - $recent_days
    )                                                                                                 AS title,
    'product'                                                                                         AS subject_type,
    [product_id]                                                                                      AS subject_ids,
    [name]                                                                                            AS subject_names,
    net_recent                                                                                        AS money_at_stake,
    MAP {
        'orders_recent': hits,
        'orders_earlier': cases - hits,
        'units_recent': units_recent::BIGINT,
        'recent_days': $recent_days::BIGINT
    }                                                                                                 AS counts,
    MAP {'net_sales_recent': net_recent::DECIMAL(18, 4), 'net_sales': net_now::DECIMAL(18, 4)}        AS amounts,
    MAP {'expected_orders_recent': round(cases * share, 6), 'chance': chance}                         AS rates,
    $recent_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'net sales of the last days, which as many days at this pace bring again'                         AS how,
    format(
        'orders a day rise, more than those of all others, with chance ≤ {}; {} orders or more', $significance, $min_orders
    )                                                                                                 AS threshold,
    '/v1/products/detail?product=' || url_encode(product_id) || $window_money_query                   AS look_further
FROM sold_paces
LEFT JOIN products USING (product_id)
WHERE is_more AND chance <= $significance
