-- The orders of the people from $first to below $past, as many as come to $most lines: the last order is made to fit.
-- A life is BG/NBD's (Fader, Hardie, Lee 2005): exponential gaps at a rate of one's own, and after each purchase a chance
-- of one's own to stay away for good. It runs by the shop's own time; the clock says when that is.
INSERT INTO visits
WITH people AS (
    SELECT
        person::INTEGER                                                          AS person,
        arriving.day * 86400::BIGINT + below(draw('arrival within', person), 86400) AS arrived,
        paces.value                                                              AS pace,
        CASE
            WHEN chance(draw('guest', person), $guest) THEN 1
            ELSE 1 + luck.value * lives.value // 1000000000
        END                                                                      AS purchases
    FROM range($first, $past) AS ids(person)
    INNER JOIN arriving ON arriving.slot = below(draw('arrival', person), 65536)
    INNER JOIN shapes AS paces ON paces.shape = 'pace' AND paces.slot = quantile(draw('pace', person))
    INNER JOIN shapes AS lives ON lives.shape = 'life' AND lives.slot = quantile(draw('life', person))
    INNER JOIN shapes AS luck ON luck.shape = 'luck' AND luck.slot = quantile(draw('luck', person))
    WHERE NOT chance(draw('prospect', person), $prospect)
),

-- Never fewer than there is time for: twice the expected number and twelve.
tries AS (
    SELECT
        person,
        arrived,
        pace,
        unnest(range(least(purchases, 12 + 2 * ($seconds - arrived) // pace)))::INTEGER AS visit
    FROM people
),

gaps AS (
    SELECT
        tries.person,
        tries.visit,
        arrived + sum(CASE WHEN visit = 0 THEN 0 ELSE pace * luck.value // 1000000 END)
            OVER (PARTITION BY person ORDER BY visit) AS own_second
    FROM tries
    INNER JOIN shapes AS luck ON luck.shape = 'luck' AND luck.slot = quantile(draw('gap', person, visit))
),

placed AS (
    SELECT
        person,
        visit,
        (clock.second + clock.seconds * (own_second::BIGINT % $slot_seconds) // $slot_seconds)::INTEGER AS second,
        baskets.value                                                            AS lines,
        chance(draw('cancelled', person, visit), $cancelled)                     AS cancelled,
        NOT cancelled AND chance(draw('returned', person, visit), $returned)     AS comes_back,
        3 + below(draw('returned after', person, visit), 27)                     AS days_after
    FROM gaps
    INNER JOIN clock ON clock.mark = own_second::BIGINT // $slot_seconds
    INNER JOIN shapes AS baskets ON baskets.shape = 'basket' AND baskets.slot = quantile(draw('basket', person, visit))
    WHERE own_second < $seconds
),

followed AS (
    SELECT
        *,
        second + days_after * 86400                                              AS back_at,
        CASE
            WHEN NOT comes_back OR back_at >= $seconds THEN 0
            WHEN chance(draw('some come back', person, visit), 650) THEN 1
            ELSE 1 + below(draw('lines come back', person, visit), lines)
        END                                                                      AS returned
    FROM placed
),

counted AS (
    SELECT
        *,
        $most - sum(lines + returned) OVER (ORDER BY person, visit) + lines + returned AS room
    FROM followed
)

SELECT
    person,
    visit,
    second,
    least(lines, room)::INTEGER                             AS lines,
    cancelled,
    least(returned, greatest(room - lines, 0))::INTEGER     AS returned,
    CASE WHEN returned > 0 THEN back_at END::INTEGER        AS returned_at,
    chance(draw('noted', person, visit), $noted)            AS is_noted
FROM counted
WHERE room > 0
