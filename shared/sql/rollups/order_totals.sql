-- What the touched orders add up to now, one row per order and kind, oldest first; see schema/order_totals.sql.
-- Reads temporary views that the rollup step makes: current_orders, current_order_items, current_fees (products that are
-- not goods). A cancelled order has no sales. An order without lines counts by its own total. What belongs to an order as
-- a whole (its discount, tax, shipping and refund) is of kind goods.
WITH orders AS (
    SELECT
        order_id,
        ordered_at,
        customer_id,
        country,
        channel,
        upper(currency)       AS currency,
        total,
        coalesce(discount, 0) AS discount,
        coalesce(tax, 0)      AS tax,
        coalesce(shipping, 0) AS shipping,
        coalesce(refunded, 0) AS refunded
    FROM current_orders
    WHERE ordered_at IS NOT NULL
        AND coalesce(lower(status) NOT IN ('cancelled', 'canceled', 'voided', 'failed', 'draft'), true)
),

lines AS (
    SELECT
        items.order_id,
        coalesce(items.kind, fees.kind, 'goods')      AS kind,
        items.line_type,
        items.quantity                                AS units,
        items.quantity * items.unit_price             AS amount,
        coalesce(items.discount, 0)                   AS discount
    FROM current_order_items AS items
    LEFT JOIN current_fees AS fees USING (product_id)
),

line_sums AS (
    SELECT
        order_id,
        kind,
        coalesce(sum(amount) FILTER (line_type = 'sale'), 0)                  AS gross_sales,
        coalesce(sum(discount) FILTER (line_type = 'sale'), 0)                AS discounts,
        coalesce(sum(amount - discount) FILTER (line_type = 'return'), 0)     AS returns,
        coalesce(sum(amount - discount) FILTER (line_type = 'adjustment'), 0) AS adjustments,
        coalesce(sum(units) FILTER (line_type = 'sale'), 0)                   AS units,
        coalesce(-sum(units) FILTER (line_type = 'return'), 0)                AS returned_units,
        coalesce(bool_or(line_type IN ('sale', 'return')), false)             AS is_sales,
        coalesce(bool_or(line_type = 'adjustment'), false)                    AS has_adjustment,
        coalesce(bool_or(line_type = 'zero'), false)                          AS has_zero,
        coalesce(bool_or(line_type = 'sale'), false)                          AS has_sale
    FROM lines
    GROUP BY order_id, kind
),

-- An order with sales of several kinds is counted by the first of them.
orders_with_lines AS (
    SELECT
        order_id,
        min(kind) FILTER (has_sale) AS counted_kind,
        bool_or(kind = 'goods')     AS has_goods
    FROM line_sums
    GROUP BY order_id
),

-- Every order with lines has a row of goods, for what belongs to the order as a whole.
kinds AS (
    SELECT line_sums.*, counted_kind, true AS has_lines
    FROM line_sums
    INNER JOIN orders_with_lines USING (order_id)
    UNION ALL BY NAME
    SELECT order_id, 'goods' AS kind, counted_kind, false AS has_lines
    FROM orders_with_lines
    WHERE NOT has_goods
),

-- An order is read once, with each of its kinds, or alone.
order_kinds AS (
    SELECT
        orders.*,
        kinds.* EXCLUDE (order_id, kind, counted_kind),
        coalesce(kinds.kind, 'goods')                                  AS kind,
        kinds.order_id IS NULL AND total IS NOT NULL                   AS is_alone,
        is_alone AND total > 0                                         AS is_sale,
        is_alone AND total < 0                                         AS is_return,
        total - tax - shipping + discount                              AS own_amount,
        coalesce(kinds.kind, 'goods') = 'goods'                        AS is_goods,
        is_goods AND (discount <> 0 OR tax <> 0 OR shipping <> 0 OR refunded <> 0) AS has_own,
        CASE WHEN is_sale THEN 'goods' ELSE counted_kind END           AS counted_kind
    FROM orders
    LEFT JOIN kinds USING (order_id)
)

SELECT
    order_id,
    kind,
    ordered_at,
    customer_id,
    country,
    channel,
    currency,
    (coalesce(gross_sales, 0) + CASE WHEN is_sale THEN own_amount ELSE 0 END)::DECIMAL(18, 4) AS gross_sales,
    (coalesce(discounts, 0) + CASE WHEN is_goods THEN discount ELSE 0 END)::DECIMAL(18, 4)    AS discounts,
    (
        coalesce(returns, 0) - CASE WHEN is_goods THEN refunded ELSE 0 END + CASE WHEN is_return THEN own_amount ELSE 0 END
    )::DECIMAL(18, 4)                                                                         AS returns,
    coalesce(adjustments, 0)::DECIMAL(18, 4)                                                  AS adjustments,
    CASE WHEN is_goods THEN tax ELSE 0 END::DECIMAL(18, 4)                                    AS tax,
    CASE WHEN is_goods THEN shipping ELSE 0 END::DECIMAL(18, 4)                               AS shipping,
    coalesce(units, 0)::BIGINT                                                                AS units,
    coalesce(returned_units, 0)::BIGINT                                                       AS returned_units,
    coalesce(is_sales, false) OR has_own OR is_sale OR is_return                              AS is_sales,
    coalesce(has_adjustment, false)                                                           AS has_adjustment,
    coalesce(has_zero, false) OR (is_alone AND total = 0)                                     AS has_zero,
    coalesce(has_sale, false) OR is_sale                                                      AS has_sale,
    counted_kind IS NOT NULL                                                                  AS order_has_sale,
    kind IS NOT DISTINCT FROM counted_kind                                                    AS counts_order
FROM order_kinds
WHERE has_lines OR is_alone OR has_own
ORDER BY ordered_at
