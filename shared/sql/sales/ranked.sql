-- The values of one dimension with their places: the largest of `totals` first, equal ones by value. Those after $top places
-- share the place behind them: they are the others.
SELECT
    value,
    least(rank, $top)::INTEGER          AS place,
    coalesce(rank >= $top, false)       AS is_other
FROM (
    SELECT
        value,
        row_number() OVER (ORDER BY coalesce(max(total), 0) DESC, value NULLS LAST) - 1 AS rank
    FROM totals
    GROUP BY value
)
