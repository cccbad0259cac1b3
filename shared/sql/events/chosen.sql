-- The events inside the filters that can belong to what begins in the range: those from $reads_from on, before $reads_to.
SELECT
    event_id,
    event_name,
    occurred_at,
    customer_id,
    session_id,
    product_id,
    order_id,
    currency,
    channel,
    country,
    device,
    url,
    properties
FROM events
WHERE ($reads_from::TIMESTAMPTZ IS NULL OR occurred_at >= $reads_from)
    AND ($reads_to::TIMESTAMPTZ IS NULL OR occurred_at < $reads_to)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, channel))
    AND ($device::VARCHAR[] IS NULL OR list_contains($device, device))
    AND ($product::VARCHAR[] IS NULL OR list_contains($product, product_id))
