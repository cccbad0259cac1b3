-- The order lines of a period: what is sold, and what comes back at the price that was paid for it. Of an order, those
-- products come back first that often do.
CREATE OR REPLACE TEMP TABLE items_now AS
WITH returns AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY number, is_note
            ORDER BY below(draw('line comes back', person, visit, line), 1000000) // comes_back, line
        ) AS turn
    FROM baskets_now
    WHERE returned > 0 AND is_noted = is_note
)

SELECT
    number,
    is_note,
    line + 1                                        AS line_number,
    product,
    quantity,
    price,
    quantity * off                                  AS discount,
    CASE WHEN price = 0 THEN 'zero' ELSE 'sale' END AS line_type,
    billed_at,
    billed_at                                       AS second
FROM baskets_now
WHERE NOT is_note
UNION ALL
SELECT
    number,
    is_note,
    turn + CASE WHEN is_note THEN 0 ELSE lines END    AS line_number,
    product,
    -quantity                                         AS quantity,
    price - off                                       AS price,
    0                                                 AS discount,
    CASE WHEN price = 0 THEN 'zero' ELSE 'return' END AS line_type,
    billed_at,
    returned_at                                       AS second
FROM returns
WHERE turn <= returned
