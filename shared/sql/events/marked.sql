-- The events that a funnel looks at, each entity's in their order. Bit k of `mask` says that the event is one of step k + 1.
-- Events of the same instant stand in the order of the first step that each is one of; what is no step comes last.
SELECT
    entity,
    value,
    at_us,
    mask,
    row_number() OVER (
        PARTITION BY entity
        ORDER BY at_us, CASE WHEN mask = 0 THEN 1024 ELSE mask & -mask END, mask, value
    ) AS place
FROM (
    SELECT
        CASE WHEN $entity = 'customer' THEN customer_id ELSE session_id END   AS entity,
        CASE $dimension
            WHEN 'country' THEN country
            WHEN 'device' THEN device
            WHEN 'channel' THEN channel
        END                                                                   AS value,
        epoch_us(occurred_at)                                                 AS at_us,
        mask
    FROM steps
)
WHERE entity IS NOT NULL
    AND (mask <> 0 OR $order = 'strict')
