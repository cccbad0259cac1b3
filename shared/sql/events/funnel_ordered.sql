-- The attempts of `before` that do one more step, by the first event of `following` after their last one and inside the window.
-- An event is told to the attempt that began last: it has most time left, and gets as far as any that began earlier.
SELECT
    before.entity,
    any_value(before.value)      AS value,
    before.start,
    any_value(before.began_us)   AS began_us,
    min(following.place)         AS place,
    min(following.at_us)            AS at_us,
    any_value(before.at_us)         AS before_us
FROM following
ASOF INNER JOIN before ON before.entity = following.entity AND before.place < following.place
WHERE following.at_us <= before.began_us + $window
GROUP BY before.entity, before.start
