-- Days of the rollup inside the range and the filters.
SELECT *
FROM rollup_of_days
WHERE zone = $zone
    AND ($from_day::DATE IS NULL OR day >= $from_day)
    AND ($to_day::DATE IS NULL OR day < $to_day)
    AND ($country::VARCHAR[] IS NULL OR list_contains($country, country))
    AND ($channel::VARCHAR[] IS NULL OR list_contains($channel, channel))
    AND ($currency::VARCHAR IS NULL OR coalesce(currency, $default_currency) = $currency)
