-- Days in the range of the customers of each value of a dimension that is asked for.
SELECT
    coalesce(value, $unnamed) AS named,
    day,
    previous_day,
    customers
FROM kept_customers_of_{dimension}
WHERE zone = $zone
    AND ($from_day::DATE IS NULL OR day >= $from_day)
    AND ($to_day::DATE IS NULL OR day < $to_day)
    AND ($only::VARCHAR[] IS NULL OR list_contains($only, coalesce(value, $unnamed)))
