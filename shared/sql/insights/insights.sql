-- The insights of `found`: the best of each kind, by money at stake. Amounts in several
-- currencies, or too many pairs of products to count, give one row that only says so.
WITH placed AS (
    SELECT
        * EXCLUDE (money_at_stake),
        round(money_at_stake, 4)::DECIMAL(18, 4)        AS money_at_stake
    FROM found
    WHERE money_at_stake > 0 AND money_at_stake >= $min_money
    QUALIFY row_number() OVER (PARTITION BY kind ORDER BY found.money_at_stake DESC, subject_type, subject_ids) <= $top
)

SELECT
    CASE
        WHEN kind IS NOT NULL
            THEN row_number() OVER (ORDER BY money_at_stake DESC NULLS LAST, kind, subject_type, subject_ids)
    END                                                                     AS rank,
    kind,
    title,
    subject_type,
    subject_ids,
    subject_names,
    money_at_stake,
    {'counts': counts, 'amounts': amounts, 'rates': rates}                  AS evidence,
    period_from,
    period_to,
    how,
    threshold,
    look_further,
    list_append(seen, pairs::VARCHAR)                                       AS _seen
FROM whole
CROSS JOIN uncounted
LEFT JOIN placed ON true
WHERE kind IS NOT NULL OR seen[1] <> seen[2] OR pairs > 0
ORDER BY rank
