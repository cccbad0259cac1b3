-- The sales metrics of each of `places` (a period, a group, both or neither), zeros where nothing happened.
SELECT
    places.*,
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
    aov
FROM places
LEFT JOIN metrics ON metrics.bucket = places.bucket AND metrics.value IS NOT DISTINCT FROM places.value
