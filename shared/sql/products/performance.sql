-- The classified products, by $sort, with what the amounts have to be looked at for.
SELECT
    product_id,
    product_name,
    category,
    abc,
    cumulative_share,
    gross_sales,
    discounts,
    returns,
    adjustments,
    net_sales,
    share,
    net_sales_previous,
    trend,
    cost,
    margin,
    margin_rate,
    units,
    returned_units,
    return_rate,
    orders,
    customers,
    views,
    views_to_buy,
    list_concat(whole.seen, (SELECT any_value(seen) FROM earlier)) AS _seen
FROM classified
CROSS JOIN whole
WHERE $abc::VARCHAR[] IS NULL OR list_contains($abc, abc)
ORDER BY
    CASE WHEN $descending THEN -1 ELSE 1 END * CASE $sort
        WHEN 'net_sales' THEN net_sales
        WHEN 'gross_sales' THEN gross_sales
        WHEN 'returns' THEN -returns
        WHEN 'return_rate' THEN return_rate
        WHEN 'orders' THEN orders
        WHEN 'customers' THEN classified.customers
        WHEN 'units' THEN units
        WHEN 'margin' THEN margin
        WHEN 'margin_rate' THEN margin_rate
        WHEN 'views' THEN views
        WHEN 'views_to_buy' THEN views_to_buy
        ELSE trend
    END NULLS LAST,
    product_id
