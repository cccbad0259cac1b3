-- Products, countries and channels whose orders are discounted more often and deeper than in the window before, while neither
-- their units nor their share of all units rise: the discounts beyond the usual rate.
SELECT
    'discount_leakage'                                                                                AS kind,
    format(
        'Discounts on {} {} rose from {:.1f} % to {:.1f} % of gross sales; units went from {:,} to {:,}',
        subject_type, coalesce(name, subject), 100 * discounts_before / gross_before, 100 * discounts_now / gross_now,
        units_before::BIGINT, units_now::BIGINT
    )                                                                                                 AS title,
    subject_type,
    [subject]                                                                                         AS subject_ids,
    [name]                                                                                            AS subject_names,
    discounts_now - discounts_before / gross_before * gross_now                                       AS money_at_stake,
    MAP {
        'orders': orders_now,
        'orders_before': orders_before,
        'discounted_orders': discounted_now,
        'discounted_orders_before': discounted_before,
        'units': units_now::BIGINT,
        'units_before': units_before::BIGINT
    }                                                                                                 AS counts,
    MAP {
        'discounts': discounts_now::DECIMAL(18, 4),
        'discounts_before': discounts_before::DECIMAL(18, 4),
        'gross_sales': gross_now::DECIMAL(18, 4),
        'gross_sales_before': gross_before::DECIMAL(18, 4)
    }                                                                                                 AS amounts,
    MAP {
        'discount_rate': round(discounts_now / gross_now, 6),
        'discount_rate_before': round(discounts_before / gross_before, 6),
        'chance': chance
    }                                                                                                 AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'discounts − discount rate of the period before × gross sales'                                    AS how,
    format(
        'discounted more often with chance ≤ {}, neither units nor their share of all higher; {} orders or more in each period',
        $significance, $min_orders
    )                                                                                                 AS threshold,
    CASE
        WHEN subject_type = 'product' THEN '/v1/products/performance?compare=previous_period&product='
        ELSE '/v1/sales/summary?compare=previous_period&' || subject_type || '='
    END || url_encode(subject) || $window_money_query                                                 AS look_further
FROM sold_discounted
CROSS JOIN whole
LEFT JOIN products ON subject_type = 'product' AND product_id = subject
WHERE is_more
    AND chance <= $significance
    AND gross_now > 0
    AND gross_before > 0
    AND units_now <= units_before
    AND units_now * all_units_before <= units_before * all_units_now
