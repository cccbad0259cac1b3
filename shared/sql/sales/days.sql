-- Days of the rollup inside the range.
SELECT *
FROM kept_days
WHERE zone = $zone
    AND ($from_day::DATE IS NULL OR day >= $from_day)
    AND ($to_day::DATE IS NULL OR day < $to_day)
