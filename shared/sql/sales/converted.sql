-- The facts of `priced` with their amounts in $convert: each at the newest rate of the order's day or of up to 31 days
-- before, rounded to four decimals. Where there is none, `missing_rate` names the currency and the day.
SELECT
    priced.* EXCLUDE (day) REPLACE (
        $convert                                                            AS currency,
        round(gross_sales * factor, 4)::DECIMAL(18, 4)                      AS gross_sales,
        round(discounts * factor, 4)::DECIMAL(18, 4)                        AS discounts,
        round(returns * factor, 4)::DECIMAL(18, 4)                          AS returns,
        round(adjustments * factor, 4)::DECIMAL(18, 4)                      AS adjustments,
        round(tax * factor, 4)::DECIMAL(18, 4)                              AS tax,
        round(shipping * factor, 4)::DECIMAL(18, 4)                         AS shipping,
        CASE WHEN factor IS NULL THEN priced.currency || ' on ' || priced.day END AS missing_rate
    )
FROM priced
LEFT JOIN (
    SELECT
        wanted.currency,
        wanted.day,
        CASE
            WHEN wanted.currency = $convert THEN 1
            WHEN factors.day >= wanted.day - 31 THEN factors.factor
        END::DECIMAL(20, 12) AS factor
    FROM (SELECT DISTINCT currency, day FROM priced) AS wanted
    ASOF LEFT JOIN factors ON factors.currency = wanted.currency AND factors.day <= wanted.day
) AS found ON found.currency IS NOT DISTINCT FROM priced.currency AND found.day = priced.day
