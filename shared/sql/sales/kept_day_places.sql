-- The rollup of days, added up by country, channel and currency, like kept_days.
SELECT
    zone,
    day,
    country,
    channel,
    currency,
    sum(COLUMNS(* EXCLUDE (zone, day, country, channel, currency)))
FROM teal.sales_days
GROUP BY zone, day, country, channel, currency
ORDER BY day
