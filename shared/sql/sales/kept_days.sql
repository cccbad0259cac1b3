-- The rollup of days, added up by currency, in the memory of a connection: asked for one snapshot after the other it is read once.
SELECT
    zone,
    day,
    NULL::VARCHAR AS country,
    NULL::VARCHAR AS channel,
    currency,
    sum(COLUMNS(* EXCLUDE (zone, day, country, channel, currency)))
FROM teal.sales_days
GROUP BY zone, day, currency
ORDER BY day
