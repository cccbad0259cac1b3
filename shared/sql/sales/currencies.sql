-- The currencies of the facts in the range; more than one must not be added up.
SELECT DISTINCT currency
FROM facts
WHERE line_type <> 'order' OR discount <> 0 OR tax <> 0 OR shipping <> 0
ORDER BY currency NULLS LAST
