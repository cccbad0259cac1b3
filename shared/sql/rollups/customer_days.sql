-- By how much customer_days changes; reads purchase_days.
SELECT
    $zone             AS zone,
    day,
    previous_day,
    sum(sign)::BIGINT AS customers
FROM purchase_days
GROUP BY ALL
HAVING sum(sign) <> 0
ORDER BY day, previous_day
