-- By how much customer_days changes; reads purchase_days.
SELECT
    $zone             AS zone,
    dimension,
    value,
    day,
    previous_day,
    sum(sign)::BIGINT AS customers
FROM (
    SELECT sign, NULL::VARCHAR AS dimension, NULL::VARCHAR AS value, day, previous_day AS previous_day FROM purchase_days
    UNION ALL
    SELECT sign, 'country', country, day, previous_of_country FROM purchase_days
    UNION ALL
    SELECT sign, 'channel', channel, day, previous_of_channel FROM purchase_days
    UNION ALL
    SELECT sign, 'currency', currency, day, previous_of_currency FROM purchase_days
)
WHERE previous_day IS NULL OR previous_day < day
GROUP BY ALL
HAVING sum(sign) <> 0
ORDER BY dimension NULLS FIRST, value, day, previous_day
