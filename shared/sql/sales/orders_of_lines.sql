-- The lines of `line_buckets` added up per bucket, value and order, so that an order with several lines counts once.
SELECT
    bucket,
    value,
    any_value(customer_id)       AS customer_id,
    any_value(currency)          AS currency,
    sum(gross_sales)             AS gross_sales,
    sum(discounts)               AS discounts,
    sum(returns)                 AS returns,
    sum(adjustments)             AS adjustments,
    sum(tax)                     AS tax,
    sum(shipping)                AS shipping,
    sum(units)                   AS units,
    sum(returned_units)          AS returned_units,
    bool_or(is_order)            AS is_order,
    bool_or(of_order)            AS of_order,
    min(missing_rate)            AS missing_rate
FROM line_buckets
GROUP BY bucket, value, order_id
