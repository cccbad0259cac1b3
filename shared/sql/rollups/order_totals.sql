-- What the touched orders add up to now, one row per order and kind, oldest first; see schema/order_totals.sql.
-- Reads temporary views that the rollup step makes: current_orders, current_order_items, current_fees (products that are
-- not goods). A cancelled order has no sales. An order without lines counts by its own total.
WITH orders AS (
    SELECT *
    FROM current_orders
    WHERE ordered_at IS NOT NULL
        AND coalesce(lower(status) NOT IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), true)
),

line_sums AS (
    SELECT
        items.order_id,
        items.line_type,
        coalesce(items.kind, fees.kind, 'goods')                       AS kind,
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
        'order'                          AS line_type,
        'goods'                          AS kind,
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
),

-- An order with sales of several kinds is counted by the first of them.
sale_orders AS (
    SELECT
        order_id,
        min(kind) AS counted_kind
    FROM sums
    WHERE line_type = 'sale'
    GROUP BY order_id
),

kinds AS (
    SELECT
        order_id,
        kind,
        coalesce(sum(amount) FILTER (line_type = 'sale'), 0)                  AS gross_sales,
        coalesce(sum(discount) FILTER (line_type IN ('sale', 'order')), 0)    AS discounts,
        coalesce(sum(amount - discount) FILTER (line_type = 'return'), 0)     AS returns,
        coalesce(sum(amount - discount) FILTER (line_type = 'adjustment'), 0) AS adjustments,
        sum(tax)                                                              AS tax,
        sum(shipping)                                                         AS shipping,
        coalesce(sum(units) FILTER (line_type = 'sale'), 0)                   AS units,
        coalesce(-sum(units) FILTER (line_type = 'return'), 0)                AS returned_units,
        coalesce(bool_or(line_type IN ('sale', 'return', 'order')), false)    AS is_sales,
        coalesce(bool_or(line_type = 'adjustment'), false)                    AS has_adjustment,
        coalesce(bool_or(line_type = 'zero'), false)                          AS has_zero,
        coalesce(bool_or(line_type = 'sale'), false)                          AS has_sale
    FROM sums
    GROUP BY order_id, kind
)

SELECT
    kinds.order_id,
    kinds.kind,
    orders.ordered_at,
    orders.customer_id,
    orders.country,
    orders.channel,
    upper(orders.currency)                              AS currency,
    kinds.gross_sales::DECIMAL(18, 4)                   AS gross_sales,
    kinds.discounts::DECIMAL(18, 4)                     AS discounts,
    kinds.returns::DECIMAL(18, 4)                       AS returns,
    kinds.adjustments::DECIMAL(18, 4)                   AS adjustments,
    kinds.tax::DECIMAL(18, 4)                           AS tax,
    kinds.shipping::DECIMAL(18, 4)                      AS shipping,
    kinds.units::BIGINT                                 AS units,
    kinds.returned_units::BIGINT                        AS returned_units,
    kinds.is_sales,
    kinds.has_adjustment,
    kinds.has_zero,
    kinds.has_sale,
    sale_orders.counted_kind IS NOT NULL                AS order_has_sale,
    kinds.kind IS NOT DISTINCT FROM sale_orders.counted_kind AS counts_order
FROM kinds
INNER JOIN orders USING (order_id)
LEFT JOIN sale_orders USING (order_id)
ORDER BY orders.ordered_at
