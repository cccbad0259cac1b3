-- What sales questions add up, from the rollup: one row per order, line type and kind inside the range and the filters.
SELECT
    order_id,
    line_type,
    kind,
    ordered_at,
    customer_id,
    country,
    channel,
    currency,
    NULL::VARCHAR AS product_id,
    NULL::VARCHAR AS category,
    units,
    amount,
    discount,
    tax,
    shipping
FROM teal.order_totals
WHERE list_contains($line_types, line_type)
    AND ($from_at::TIMESTAMPTZ IS NULL OR ordered_at >= $from_at)
    AND ($to_at::TIMESTAMPTZ IS NULL OR ordered_at < $to_at)
    AND ($currency::VARCHAR IS NULL OR currency = $currency)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, channel))
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, customer_id))
    AND ($customers = 'all' OR ($customers = 'known') = (customer_id IS NOT NULL))
    AND ($kind = 'all' OR kind = $kind)
