-- How often each product was looked at in the range: events whose name is one of $view_events. The row of no product holds
-- all other views; that there is one tells that views are known.
SELECT
    CASE WHEN is_asked THEN product_id END    AS product_id,
    count(*)                                  AS views
FROM (
    SELECT
        events.product_id,
        ($kind = 'all' OR coalesce(products.kind, 'goods') = $kind)
        AND ($product::VARCHAR[] IS NULL OR list_contains($product, events.product_id))
        AND ($category::VARCHAR[] IS NULL OR list_contains($category, coalesce(categories.name, products.category)))
            AS is_asked
    FROM events
    LEFT JOIN products ON products.product_id = events.product_id
    LEFT JOIN categories ON categories.category_id = products.category_id
    WHERE list_contains($view_events, lower(events.event_name))
        AND ($from_at::TIMESTAMPTZ IS NULL OR events.occurred_at >= $from_at)
        AND ($to_at::TIMESTAMPTZ IS NULL OR events.occurred_at < $to_at)
        AND ($country::VARCHAR[] IS NULL OR list_contains($country, events.country))
        AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, events.channel))
        AND ($customer::VARCHAR[] IS NULL OR list_contains($customer, events.customer_id))
        AND ($customers = 'all' OR ($customers = 'known') = (events.customer_id IS NOT NULL))
)
GROUP BY ALL
