-- The sales metrics per value of one dimension, largest first; `share` is the part of all net sales in the range.
SELECT
    bucket                                                                        AS value,
    coalesce(products.name, customers.name)                                       AS label,
    gross_sales,
    discounts,
    returns,
    adjustments,
    net_sales,
    tax,
    shipping,
    total_sales,
    orders,
    metrics.customers                                                             AS customers,
    units,
    returned_units,
    aov,
    round(net_sales / nullif(sum(net_sales) OVER (), 0), 6)::DECIMAL(9, 6)        AS share,
    seen                                                                          AS _seen
FROM metrics
CROSS JOIN whole
LEFT JOIN products ON $dimension = 'product' AND products.product_id = bucket
LEFT JOIN customers ON $dimension = 'customer' AND $sees_personal AND customers.customer_id = bucket
ORDER BY
    CASE $sort
        WHEN 'net_sales' THEN net_sales
        WHEN 'gross_sales' THEN gross_sales
        WHEN 'returns' THEN -returns
        WHEN 'orders' THEN orders
        WHEN 'units' THEN units
        ELSE metrics.customers
    END DESC,
    bucket NULLS LAST
