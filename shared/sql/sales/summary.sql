-- The sales metrics of the whole range: one row, zeros when nothing happened.
SELECT
    coalesce(gross_sales, 0)    AS gross_sales,
    coalesce(discounts, 0)      AS discounts,
    coalesce(returns, 0)        AS returns,
    coalesce(adjustments, 0)    AS adjustments,
    coalesce(net_sales, 0)      AS net_sales,
    coalesce(tax, 0)            AS tax,
    coalesce(shipping, 0)       AS shipping,
    coalesce(total_sales, 0)    AS total_sales,
    coalesce(orders, 0)         AS orders,
    coalesce(customers, 0)      AS customers,
    coalesce(units, 0)          AS units,
    coalesce(returned_units, 0) AS returned_units,
    aov,
    seen                        AS _seen
FROM whole
LEFT JOIN metrics ON true
