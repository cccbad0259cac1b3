-- Sales of each day by what series are made of; reads `dated`. Amounts are in their own currency.
SELECT
    (day - $first::DATE)::BIGINT                              AS place,
    coalesce(currency, $default_currency)                     AS currency,
    coalesce(country, '')                                     AS country,
    coalesce(channel, '')                                     AS channel,
    sum(gross_sales - discounts + returns)::DOUBLE            AS net_sales,
    sum(gross_sales)::DOUBLE                                  AS gross_sales,
    sum(counts_order::INTEGER)::DOUBLE                        AS orders,
    sum(units)::DOUBLE                                        AS units
FROM dated
WHERE is_sales AND day < $until
GROUP BY ALL
ORDER BY ALL
