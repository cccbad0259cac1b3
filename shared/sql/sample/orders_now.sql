-- The orders of a period, numbered by time after the $before orders before them, with what follows from their buyer and day.
CREATE OR REPLACE TEMP TABLE orders_now AS
SELECT
    ($before + row_number() OVER (ORDER BY second, person, visit))::INTEGER      AS number,
    false                                                                        AS is_note,
    visits.*,
    CASE WHEN NOT chance(draw('guest', person), $guest) THEN person END          AS customer,
    chance(draw('business', person), $business)                                  AS is_business,
    chance(draw('tracked', person), $tracked)                                    AS is_tracked,
    ['web', 'web', 'web', 'web', 'web', 'app', 'app', 'app', 'marketplace', 'store'][
        1 + below(draw('channel', person, visit), 10)
    ]                                                                            AS channel,
    CASE WHEN lines > 1 AND chance(draw('set', person, visit), $set) THEN wishes.value END AS set,
    countries.country,
    countries.currency,
    countries.level,
    countries.tax_rate,
    days.month,
    days.closes,
    days.price                                                                   AS price_level,
    days.is_campaign
FROM visits
INNER JOIN days ON days.day = second // 86400
INNER JOIN countries ON countries.slot = below(draw('country', person), 1000)
INNER JOIN shapes AS wishes ON wishes.shape = 'set' AND wishes.slot = quantile(draw('which set', person, visit))
WHERE second >= $from AND second < $to
