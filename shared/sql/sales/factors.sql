-- What one unit of each currency was worth in $convert on each day that has a rate. A rate of the pair itself goes before
-- its inverse, and both before a way through one other currency on the same day.
WITH quoted AS (
    SELECT
        upper(currency) AS currency,
        upper(base)     AS base,
        day,
        rate
    FROM rates
    WHERE rate > 0 AND upper(currency) <> upper(base)
),

pairs AS (
    SELECT *, 1 AS rank FROM quoted
    UNION ALL
    SELECT base AS currency, currency AS base, day, 1 / rate AS rate, 2 AS rank FROM quoted
),

ways AS (
    SELECT currency, day, rate, rank, '' AS through FROM pairs WHERE base = $convert
    UNION ALL
    SELECT
        first.currency,
        first.day,
        first.rate * second.rate            AS rate,
        10 * first.rank + second.rank       AS rank,
        first.base                          AS through
    FROM pairs AS first
    INNER JOIN pairs AS second ON second.currency = first.base AND second.day = first.day
    WHERE second.base = $convert AND first.currency <> $convert
)

SELECT
    currency,
    day,
    -- By its shortest text: the decimal that was written in the file, not the binary fraction nearest to it.
    arg_min(rate, (rank, through, rate))::VARCHAR::DECIMAL(20, 12) AS factor
FROM ways
GROUP BY currency, day
