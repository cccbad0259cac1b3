-- What the touched orders add up to now, one row per order, line type and kind; see schema/order_totals.sql.
-- Reads temporary views that the rollup step makes: current_orders, current_order_items, current_fees (products that are
-- not goods). Lines of cancelled orders are of type 'cancelled': no sale. An order without lines counts by its own total.
WITH orders AS (
    SELECT
        *,
        coalesce(lower(status) IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), false) AS is_cancelled
    FROM current_orders
    WHERE ordered_at IS NOT NULL
),

line_sums AS (
    SELECT
        items.order_id,
        items.line_type,
        coalesce(items.kind, fees.kind, 'goods')                       AS kind,
        count(*)                                                       AS lines,
        coalesce(sum(items.quantity), 0)::BIGINT                       AS units,
        coalesce(sum(items.quantity * items.unit_price), 0)::DECIMAL(18, 4) AS amount,
        coalesce(sum(items.discount), 0)::DECIMAL(18, 4)               AS discount
    FROM current_order_items AS items
    LEFT JOIN current_fees AS fees USING (product_id)
    GROUP BY ALL
),

order_sums AS (
    SELECT
        order_id,
        CASE WHEN is_cancelled THEN 'cancelled' ELSE 'order' END AS line_type,
        'goods'                          AS kind,
        0                                AS lines,
        0::BIGINT                        AS units,
        0::DECIMAL(18, 4)                AS amount,
        coalesce(discount, 0)            AS discount,
        coalesce(tax, 0)                 AS tax,
        coalesce(shipping, 0)            AS shipping
    FROM orders
    WHERE coalesce(discount, 0) <> 0 OR coalesce(tax, 0) <> 0 OR coalesce(shipping, 0) <> 0
),

refunds AS (
    SELECT
        order_id,
        'return'                         AS line_type,
        'goods'                          AS kind,
        0                                AS lines,
        0::BIGINT                        AS units,
        -refunded                        AS amount,
        0::DECIMAL(18, 4)                AS discount,
        0::DECIMAL(18, 4)                AS tax,
        0::DECIMAL(18, 4)                AS shipping
    FROM orders
    WHERE coalesce(refunded, 0) <> 0
),

totals_alone AS (
    SELECT
        order_id,
        CASE WHEN total < 0 THEN 'return' WHEN total = 0 THEN 'zero' ELSE 'sale' END AS line_type,
        'goods'                          AS kind,
        0                                AS lines,
        0::BIGINT                        AS units,
        (total - coalesce(tax, 0) - coalesce(shipping, 0) + coalesce(discount, 0))::DECIMAL(18, 4) AS amount,
        0::DECIMAL(18, 4)                AS discount,
        0::DECIMAL(18, 4)                AS tax,
        0::DECIMAL(18, 4)                AS shipping
    FROM orders
    WHERE total IS NOT NULL AND order_id NOT IN (SELECT order_id FROM line_sums)
),

sums AS (
    SELECT *, 0::DECIMAL(18, 4) AS tax, 0::DECIMAL(18, 4) AS shipping FROM line_sums
    UNION ALL BY NAME
    SELECT * FROM order_sums
    UNION ALL BY NAME
    SELECT * FROM refunds
    UNION ALL BY NAME
    SELECT * FROM totals_alone
)

SELECT
    sums.order_id,
    CASE WHEN orders.is_cancelled THEN 'cancelled' ELSE sums.line_type END AS line_type,
    sums.kind,
    orders.ordered_at,
    orders.customer_id,
    orders.country,
    orders.channel,
    orders.currency,
    orders.status,
    sum(sums.lines)::BIGINT              AS lines,
    sum(sums.units)::BIGINT              AS units,
    sum(sums.amount)::DECIMAL(18, 4)     AS amount,
    sum(sums.discount)::DECIMAL(18, 4)   AS discount,
    sum(sums.tax)::DECIMAL(18, 4)        AS tax,
    sum(sums.shipping)::DECIMAL(18, 4)   AS shipping
FROM sums
INNER JOIN orders USING (order_id)
GROUP BY ALL
