-- Products that come back more often than others and do not sell better than in the window before.
SELECT
    'retire'                                                                                          AS kind,
    format(
        'Retire or repair {}: came back in {:,} documents for {:,} orders, {:,.2f}{} given back',
        coalesce(name, product_id), returning_orders, orders_now, -returns_now, unit
    )                                                                                                 AS title,
    'product'                                                                                         AS subject_type,
    [product_id]                                                                                      AS subject_ids,
    [name]                                                                                            AS subject_names,
    -returns_now                                                                                      AS money_at_stake,
    MAP {
        'orders': orders_now,
        'orders_before': orders_before,
        'returning_orders': returning_orders,
        'units': units_now::BIGINT,
        'returned_units': returned_units::BIGINT
    }                                                                                                 AS counts,
    MAP {'returns': returns_now::DECIMAL(18, 4), 'net_sales': net_now::DECIMAL(18, 4)}                AS amounts,
    MAP {'expected_returning_orders': round(cases * share, 6), 'chance': chance}                      AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'money given back for the product in the period'                                                  AS how,
    format(
        'comes back more often than all others with chance ≤ {}, no more orders than before, {} orders or more',
        $significance, $min_orders
    )                                                                                                 AS threshold,
    '/v1/sales/returns?dimension=product&product=' || url_encode(product_id) || $window_money_query   AS look_further
FROM sold_returned
CROSS JOIN whole
LEFT JOIN products USING (product_id)
WHERE is_more AND chance <= $significance AND ($knows_before AND orders_now <= orders_before)
