-- Countries with their currency, its prices and its taxes, as often as people live there: a thousand slots.
CREATE TABLE countries AS
SELECT
    unnest(range(len($codes)))::INTEGER AS slot,
    unnest($codes)                      AS country,
    unnest($currencies)                 AS currency,
    unnest($prices)::INTEGER            AS level,
    unnest($taxes)::INTEGER             AS tax_rate
