-- What sales questions add up, line by line: needed where a product or category is asked for. What belongs to an order as a
-- whole (its own discount, tax and shipping) has no product and is not among them.
SELECT
    items.order_id,
    items.line_type,
    coalesce(items.kind, products.kind, 'goods')                  AS kind,
    orders.ordered_at,
    orders.customer_id,
    orders.country,
    orders.channel,
    orders.currency,
    items.product_id,
    coalesce(categories.name, products.category)                  AS category,
    items.quantity::BIGINT                                        AS units,
    (items.quantity * items.unit_price)::DECIMAL(18, 4)           AS amount,
    coalesce(items.discount, 0)::DECIMAL(18, 4)                   AS discount,
    0::DECIMAL(18, 4)                                             AS tax,
    0::DECIMAL(18, 4)                                             AS shipping
FROM order_items AS items
INNER JOIN orders USING (order_id)
LEFT JOIN products ON products.product_id = items.product_id
LEFT JOIN categories ON categories.category_id = products.category_id
WHERE list_contains($line_types, items.line_type)
    AND coalesce(lower(orders.status) NOT IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), true)
    AND ($from_at::TIMESTAMPTZ IS NULL OR orders.ordered_at >= $from_at)
    AND ($to_at::TIMESTAMPTZ IS NULL OR orders.ordered_at < $to_at)
    AND ($currency::VARCHAR IS NULL OR orders.currency = $currency)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, orders.country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, orders.channel))
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, orders.customer_id))
    AND ($customers = 'all' OR ($customers = 'known') = (orders.customer_id IS NOT NULL))
    AND ($kind = 'all' OR coalesce(items.kind, products.kind, 'goods') = $kind)
    AND ($product::VARCHAR[] IS NULL OR list_contains($product, items.product_id))
    AND ($category::VARCHAR[] IS NULL OR list_contains($category, coalesce(categories.name, products.category)))
