-- One row per order. Costs of one item are rounded to cents, so the lines may miss what the order says its goods came to by
-- half a cent per unit: that rest is the order's discount. A refund counts as a return unless its items were already taken
-- off the quantities; one of the whole total gives tax and shipping back, too.
WITH money AS (
    SELECT
        "Order Number"                                                       AS order_id,
        sum(TRY_CAST("Quantity (- Refund)" AS INTEGER))                      AS units,
        sum(TRY_CAST("Quantity (- Refund)" AS INTEGER) * TRY_CAST("Item Cost" AS DECIMAL(18, 4))) AS lines,
        max(TRY_CAST("Order Subtotal Amount" AS DECIMAL(18, 4)))
            - coalesce(max(TRY_CAST("Cart Discount Amount" AS DECIMAL(18, 4))), 0) AS goods,
        coalesce(max(TRY_CAST("Order Refund Amount" AS DECIMAL(18, 4))), 0)  AS refund,
        max(TRY_CAST("Order Total Amount" AS DECIMAL(18, 4)))                AS total,
        max(TRY_CAST("Order Total Tax Amount" AS DECIMAL(18, 4)))            AS tax,
        max(TRY_CAST("Order Shipping Amount" AS DECIMAL(18, 4)))             AS shipping
    FROM raw
    GROUP BY "Order Number"
),

told AS (
    SELECT
        "Order Number"                                                       AS order_id,
        first("Order Date" ORDER BY _row) FILTER ("Order Date" IS NOT NULL)  AS ordered_at,
        lower(first("Email (Billing)" ORDER BY _row) FILTER ("Email (Billing)" IS NOT NULL)) AS customer_id,
        lower(first("Order Status" ORDER BY _row) FILTER ("Order Status" IS NOT NULL)) AS status,
        coalesce(max("Country Code (Shipping)"), max("Country Code (Billing)")) AS country,
        max("Currency")                                                      AS currency
    FROM raw
    GROUP BY "Order Number"
)

SELECT
    order_id,
    ordered_at,
    customer_id,
    status,
    country,
    currency,
    CASE WHEN abs(lines - goods) <= 0.005 * (units + 1) THEN lines - goods ELSE 0 END::VARCHAR AS discount,
    CASE WHEN refund > 0 AND refund >= total THEN 0 ELSE tax END::VARCHAR    AS tax,
    CASE WHEN refund > 0 AND refund >= total THEN 0 ELSE shipping END::VARCHAR AS shipping,
    CASE WHEN goods - lines > 0.005 * (units + 1) THEN 0 ELSE least(refund, goods) END::VARCHAR AS refunded,
    total::VARCHAR                                                           AS total
FROM told
INNER JOIN money USING (order_id)
