-- What sales questions add up, from the rollup: one row per order and kind inside the range and the filters. With a kind
-- asked for, an order counts when it has a sale of that kind; without one, it counts once.
SELECT
    ordered_at,
    customer_id,
    country,
    channel,
    coalesce(currency, $default_currency)                           AS currency,
    gross_sales,
    discounts,
    returns,
    CASE WHEN $adjustments THEN adjustments ELSE 0 END              AS adjustments,
    tax,
    shipping,
    units,
    returned_units,
    CASE WHEN $kind = 'all' THEN counts_order ELSE has_sale END     AS is_order,
    CASE WHEN $kind = 'all' THEN order_has_sale ELSE has_sale END   AS of_order,
    NULL::VARCHAR                                                   AS missing_rate
FROM teal.order_totals
WHERE (is_sales OR ($adjustments AND has_adjustment) OR ($zeros AND has_zero))
    AND ($from_at::TIMESTAMPTZ IS NULL OR ordered_at >= $from_at)
    AND ($to_at::TIMESTAMPTZ IS NULL OR ordered_at < $to_at)
    AND ($currency::VARCHAR IS NULL OR coalesce(currency, $default_currency) = $currency)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, channel))
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
    AND ($customers = 'all' OR ($customers = 'known') = (customer_id IS NOT NULL))
    AND ($kind = 'all' OR kind = $kind)
