-- What `days` add up, of days on which something happened that counts. A day's own rows of customers are not among them.
SELECT
    bucket,
    value,
    day,
    coalesce(currency, $default_currency)              AS currency,
    gross_sales,
    discounts,
    returns,
    CASE WHEN $adjustments THEN adjustments ELSE 0 END AS adjustments,
    tax,
    shipping,
    net_of_orders,
    units,
    returned_units,
    orders,
    NULL::VARCHAR                                      AS missing_rate
FROM days
WHERE with_sales > 0
    OR ($adjustments AND with_adjustments > 0)
    OR ($zeros AND with_zeros > 0)
