-- The customers from $first to below $past; guests are none. They register just before they first buy.
WITH people AS (
    SELECT
        person::INTEGER                                                             AS person,
        arriving.day * 86400::BIGINT + below(draw('arrival within', person), 86400) AS arrived,
        $first_names[1 + below(draw('first name', person), len($first_names))]      AS first_name,
        $last_names[1 + below(draw('last name', person), len($last_names))]         AS last_name,
        $cities[1 + below(draw('city', person), len($cities))]                      AS city
    FROM range($first, $past) AS ids(person)
    INNER JOIN arriving ON arriving.slot = below(draw('arrival', person), 65536)
    WHERE NOT chance(draw('guest', person), $guest)
),

registered AS (
    SELECT
        people.*,
        greatest(0, clock.second + clock.seconds * (arrived % $slot_seconds) // $slot_seconds - 300)::INTEGER AS created
    FROM people
    INNER JOIN clock ON clock.mark = arrived // $slot_seconds
)

SELECT
    person_name(person)                                                                       AS customer_id,
    lower(first_name || '.' || last_name) || person || '@example.com'                         AS email,
    first_name || ' ' || last_name                                                            AS name,
    country,
    city,
    CASE WHEN chance(draw('business', person), $business) THEN 'business' ELSE 'consumer' END AS segment,
    instant(created)                                                                          AS created_at,
    instant(created + below(draw('changed', person), $seconds - created))                     AS updated_at
FROM registered
INNER JOIN countries ON countries.slot = below(draw('country', person), 1000)
ORDER BY person
