-- One row per order, from its first row. The order's discount is what its lines come to, less their own discounts, less the
-- subtotal: codes and automatic discounts alike. A tip is a line, whether the subtotal holds it or not. Prices that include
-- tax keep it (the total then has no place for tax on top). A cancelled order is no sale; a refund is a return without a
-- product, at most the goods' worth; one of the whole total gives tax and shipping back, too.
WITH money AS (
    SELECT
        "Name"                                                          AS order_id,
        sum(TRY_CAST("Lineitem quantity" AS INTEGER) * TRY_CAST("Lineitem price" AS DECIMAL(18, 4))) AS lines,
        coalesce(sum(TRY_CAST("Lineitem quantity" AS INTEGER) * TRY_CAST("Lineitem price" AS DECIMAL(18, 4)))
            FILTER (lower("Lineitem name") = 'tip' AND "Lineitem sku" IS NULL), 0) AS tips,
        coalesce(sum(TRY_CAST("Lineitem discount" AS DECIMAL(18, 4))), 0) AS line_discounts,
        max(TRY_CAST("Subtotal" AS DECIMAL(18, 4)))                     AS subtotal,
        coalesce(max(TRY_CAST("Taxes" AS DECIMAL(18, 4))), 0)           AS taxes,
        coalesce(max(TRY_CAST("Shipping" AS DECIMAL(18, 4))), 0)        AS shipping,
        max(TRY_CAST("Total" AS DECIMAL(18, 4)))                        AS total,
        coalesce(max(TRY_CAST("Refunded Amount" AS DECIMAL(18, 4))), 0) AS refund
    FROM raw
    GROUP BY "Name"
),

extras AS (
    SELECT
        *,
        total - subtotal - shipping                                     AS beyond,
        refund > 0 AND refund >= total                                  AS all_refunded,
        CASE WHEN beyond IN (tips, tips + taxes) AND beyond NOT IN (0, taxes) THEN tips ELSE 0 END AS tips_apart
    FROM money
),

told AS (
    SELECT
        "Name"                                                          AS order_id,
        lower(first("Email" ORDER BY _row) FILTER ("Email" IS NOT NULL)) AS customer_id,
        first("Created at" ORDER BY _row) FILTER ("Created at" IS NOT NULL) AS ordered_at,
        CASE
            WHEN bool_or("Cancelled at" IS NOT NULL) THEN 'cancelled'
            ELSE coalesce(first("Financial Status" ORDER BY _row) FILTER ("Financial Status" IS NOT NULL), 'completed')
        END                                                             AS status,
        coalesce(
            first("Shipping Country" ORDER BY _row) FILTER ("Shipping Country" IS NOT NULL),
            first("Billing Country" ORDER BY _row) FILTER ("Billing Country" IS NOT NULL)
        )                                                               AS country,
        first("Source" ORDER BY _row) FILTER ("Source" IS NOT NULL)     AS channel,
        first("Currency" ORDER BY _row) FILTER ("Currency" IS NOT NULL) AS currency
    FROM raw
    GROUP BY "Name"
)

SELECT
    order_id,
    customer_id,
    ordered_at,
    status,
    country,
    channel,
    currency,
    (lines - line_discounts - tips_apart - subtotal)::DECIMAL(18, 4)::VARCHAR AS discount,
    CASE WHEN all_refunded OR beyond = tips_apart THEN 0 ELSE taxes END::VARCHAR AS tax,
    CASE WHEN all_refunded THEN 0 ELSE shipping END::VARCHAR             AS shipping,
    total::VARCHAR                                                       AS total,
    least(refund, subtotal + tips_apart)::VARCHAR                        AS refunded
FROM told
INNER JOIN extras USING (order_id)
