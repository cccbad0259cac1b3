-- What the documents of a period come to, in cents, and when their status is final: cancelled or delivered.
CREATE OR REPLACE TEMP TABLE bills_now AS
WITH sums AS (
    SELECT number, is_note, sum(quantity * price - discount)::BIGINT AS net
    FROM items_now
    GROUP BY number, is_note
)

SELECT
    billed_now.*,
    net,
    CASE
        WHEN NOT is_note AND chance(draw('voucher', person, visit), $voucher) THEN greatest(net, 0) // 10
        ELSE 0
    END                                                         AS discount,
    (net - discount) * tax_rate // 1000                         AS tax,
    CASE
        WHEN is_note OR net >= 5 * level THEN 0
        ELSE 490 * level // 1000
    END                                                         AS shipping,
    CASE
        WHEN NOT is_note AND NOT cancelled AND chance(draw('refunded', person, visit), $refunded) THEN 500 * level // 1000
        ELSE 0
    END                                                         AS refunded,
    CASE
        WHEN is_note THEN billed_at
        WHEN cancelled THEN second + 3600 + below(draw('cancelled after', person, visit), 3 * 86400)
        ELSE second + 86400 + below(draw('delivered after', person, visit), 5 * 86400)
    END                                                         AS changed_at,
    is_note OR changed_at < least(closes, $seconds)             AS is_settled
FROM billed_now
INNER JOIN sums USING (number, is_note)
