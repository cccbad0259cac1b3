-- The currencies of the facts in the range, asked only when there are several: they must not be added up.
SELECT DISTINCT currency
FROM facts
ORDER BY currency NULLS LAST
