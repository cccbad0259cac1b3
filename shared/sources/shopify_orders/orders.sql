-- One row per order, from its first row. The discount is what its lines come to before it less the subtotal after it, which
-- covers codes, automatic and line discounts alike; a cancelled order is no sale; refunds are returns without a product.
SELECT
    "Name"                                                        AS order_id,
    lower(first("Email" ORDER BY _row) FILTER ("Email" IS NOT NULL)) AS customer_id,
    first("Created at" ORDER BY _row)                             AS ordered_at,
    CASE
        WHEN bool_or("Cancelled at" IS NOT NULL) THEN 'cancelled'
        ELSE coalesce(first("Financial Status" ORDER BY _row), 'completed')
    END                                                           AS status,
    coalesce(
        first("Shipping Country" ORDER BY _row) FILTER ("Shipping Country" IS NOT NULL),
        first("Billing Country" ORDER BY _row) FILTER ("Billing Country" IS NOT NULL)
    )                                                             AS country,
    first("Source" ORDER BY _row) FILTER ("Source" IS NOT NULL)   AS channel,
    first("Currency" ORDER BY _row) FILTER ("Currency" IS NOT NULL) AS currency,
    (sum(TRY_CAST("Lineitem quantity" AS INTEGER) * TRY_CAST("Lineitem price" AS DECIMAL(18, 4)))
        - max(TRY_CAST("Subtotal" AS DECIMAL(18, 4))))::DECIMAL(18, 4) AS discount,
    max(TRY_CAST("Taxes" AS DECIMAL(18, 4)))                      AS tax,
    max(TRY_CAST("Shipping" AS DECIMAL(18, 4)))                   AS shipping,
    max(TRY_CAST("Total" AS DECIMAL(18, 4)))                      AS total,
    max(TRY_CAST("Refunded Amount" AS DECIMAL(18, 4)))            AS refunded
FROM raw
GROUP BY "Name"
