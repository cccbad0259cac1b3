-- What the places of one dimension are called: the value and, of `groups`, its label; the others have neither.
SELECT
    places.place,
    places.is_other,
    places.value,
    groups.label
FROM (
    SELECT DISTINCT place, is_other, CASE WHEN NOT is_other THEN value END AS value
    FROM places_of_values
) AS places
LEFT JOIN groups ON groups.value = places.value
