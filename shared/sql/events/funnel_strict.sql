-- The attempts of `before` that do one more step with the very next event of their entity, inside the window.
SELECT
    before.entity,
    before.value,
    before.start,
    before.began_us,
    following.place,
    following.at_us,
    before.at_us AS before_us
FROM before
INNER JOIN following ON following.entity = before.entity AND following.place = before.place + 1
WHERE following.at_us <= before.began_us + $window
