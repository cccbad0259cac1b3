-- The periods of a series, or of one for each group, that were not as expected; or all that were judged.
SELECT
    value,
    starts_on                                                        AS period,
    actual::DECIMAL(18, 4)                                           AS actual,
    expected::DECIMAL(18, 4)                                         AS expected,
    lower::DECIMAL(18, 4)                                            AS lower,
    upper::DECIMAL(18, 4)                                            AS upper,
    round(score, 4)                                                  AS score,
    CASE direction WHEN 1 THEN 'above' WHEN -1 THEN 'below' END      AS direction,
    is_outage,
    is_closed
FROM teal.anomalies
WHERE metric = $metric
    AND grain = $grain
    AND dimension = $dimension
    AND currency = $currency
    AND sensitivity = $sensitivity
    AND ($every OR direction <> 0)
    AND ($from_day::DATE IS NULL OR starts_on >= $from_day)
    AND ($to_day::DATE IS NULL OR starts_on < $to_day)
ORDER BY value NULLS FIRST, starts_on
