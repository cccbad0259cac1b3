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
    SELECT order_id, min(kind) FILTER (has_sale) AS counted_kind
    FROM line_sums
    GROUP BY order_id
),

whole_orders AS (
    SELECT
        orders.*,
        orders_with_lines.order_id IS NULL AND total IS NOT NULL AS is_alone,
        is_alone AND total > 0                                   AS is_sale,
        is_alone AND total < 0                                   AS is_return,
        total - tax - shipping + discount                        AS own_amount,
        discount <> 0 OR tax <> 0 OR shipping <> 0               AS has_own,
        CASE WHEN is_sale THEN 'goods' ELSE counted_kind END     AS counted_kind
    FROM orders
    LEFT JOIN orders_with_lines USING (order_id)
),

kinds AS (
    SELECT
        whole.order_id,
        'goods'                                                                     AS kind,
        coalesce(gross_sales, 0) + CASE WHEN is_sale THEN own_amount ELSE 0 END     AS gross_sales,
        coalesce(discounts, 0) + discount                                           AS discounts,
        coalesce(returns, 0) - refunded + CASE WHEN is_return THEN own_amount ELSE 0 END AS returns,
        coalesce(adjustments, 0)                                                    AS adjustments,
        tax,
        shipping,
        coalesce(units, 0)                                                          AS units,
        coalesce(returned_units, 0)                                                 AS returned_units,
        coalesce(is_sales, false) OR has_own OR refunded <> 0 OR is_sale OR is_return AS is_sales,
        coalesce(has_adjustment, false)                                             AS has_adjustment,
        coalesce(has_zero, false) OR (is_alone AND total = 0)                       AS has_zero,
        coalesce(has_sale, false) OR is_sale                                        AS has_sale
    FROM whole_orders AS whole
    LEFT JOIN line_sums ON line_sums.order_id = whole.order_id AND line_sums.kind = 'goods'
    WHERE line_sums.order_id IS NOT NULL OR is_alone OR has_own OR refunded <> 0
    UNION ALL BY NAME
    SELECT *, 0 AS tax, 0 AS shipping
    FROM line_sums
    WHERE kind <> 'goods'
)

SELECT
    kinds.order_id,
    kinds.kind,
    whole.ordered_at,
    whole.customer_id,
    whole.country,
    whole.channel,
    whole.currency,
    kinds.gross_sales::DECIMAL(18, 4)                        AS gross_sales,
    kinds.discounts::DECIMAL(18, 4)                          AS discounts,
    kinds.returns::DECIMAL(18, 4)                            AS returns,
    kinds.adjustments::DECIMAL(18, 4)                        AS adjustments,
    kinds.tax::DECIMAL(18, 4)                                AS tax,
    kinds.shipping::DECIMAL(18, 4)                           AS shipping,
    kinds.units::BIGINT                                      AS units,
    kinds.returned_units::BIGINT                             AS returned_units,
    kinds.is_sales,
    kinds.has_adjustment,
    kinds.has_zero,
    kinds.has_sale,
    whole.counted_kind IS NOT NULL                           AS order_has_sale,
    kinds.kind IS NOT DISTINCT FROM whole.counted_kind       AS counts_order
FROM kinds
INNER JOIN whole_orders AS whole USING (order_id)
ORDER BY whole.ordered_at
