-- The departments, and what each is made of.
SELECT
    'K' || (number * 10 + noun + 10)::VARCHAR                   AS category_id,
    CASE WHEN noun = 0 THEN department ELSE nouns[noun] END     AS name,
    CASE WHEN noun > 0 THEN 'K' || (number * 10 + 10)::VARCHAR END AS parent_id,
    instant(0)                                                  AS updated_at
FROM (
    SELECT
        unnest(range(len($departments))) AS number,
        unnest($departments)             AS department,
        unnest($nouns)                   AS nouns
)
CROSS JOIN range(0, 5) AS places(noun)
ORDER BY number, noun
