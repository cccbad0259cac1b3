-- What sales questions add up, line by line: needed where a product or category is asked for. What belongs to an order as a
-- whole (its own discount, tax and shipping) has no product and is not among them.
SELECT
    items.order_id,
    orders.ordered_at,
    orders.customer_id,
    orders.country,
    orders.channel,
    coalesce(upper(orders.currency), $default_currency)                     AS currency,
    items.product_id,
    coalesce(categories.name, products.category)                            AS category,
    CASE WHEN items.line_type = 'sale' THEN amount ELSE 0 END               AS gross_sales,
    CASE WHEN items.line_type = 'sale' THEN less ELSE 0 END                 AS discounts,
    CASE WHEN items.line_type = 'return' THEN amount - less ELSE 0 END      AS returns,
    CASE WHEN items.line_type = 'adjustment' THEN amount - less ELSE 0 END  AS adjustments,
    0::DECIMAL(18, 4)                                                       AS tax,
    0::DECIMAL(18, 4)                                                       AS shipping,
    CASE WHEN items.line_type = 'sale' THEN items.quantity ELSE 0 END       AS units,
    CASE WHEN items.line_type = 'return' THEN -items.quantity ELSE 0 END    AS returned_units,
    items.line_type = 'sale'                                                AS is_order,
    items.line_type = 'sale'                                                AS of_order,
    NULL::VARCHAR                                                           AS missing_rate
FROM (
    SELECT
        *,
        (quantity * unit_price)::DECIMAL(18, 4)    AS amount,
        coalesce(discount, 0)::DECIMAL(18, 4)      AS less
    FROM order_items
    WHERE line_type IN ('sale', 'return')
        OR ($adjustments AND line_type = 'adjustment')
        OR ($zeros AND line_type = 'zero')
) AS items
INNER JOIN orders USING (order_id)
LEFT JOIN products ON products.product_id = items.product_id
LEFT JOIN categories ON categories.category_id = products.category_id
WHERE coalesce(lower(orders.status) NOT IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), true)
    AND ($from_at::TIMESTAMPTZ IS NULL OR orders.ordered_at >= $from_at)
    AND ($to_at::TIMESTAMPTZ IS NULL OR orders.ordered_at < $to_at)
    AND ($currency::VARCHAR IS NULL OR coalesce(upper(orders.currency), $default_currency) = $currency)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, orders.country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, orders.channel))
    AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, orders.customer_id))
    AND ($customers = 'all' OR ($customers = 'known') = (orders.customer_id IS NOT NULL))
    AND ($kind = 'all' OR coalesce(items.kind, products.kind, 'goods') = $kind)
    AND ($product::VARCHAR[] IS NULL OR list_contains($product, items.product_id))
    AND ($category::VARCHAR[] IS NULL OR list_contains($category, coalesce(categories.name, products.category)))
