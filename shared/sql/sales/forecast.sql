-- The periods to come of a series, or of one for each group.
SELECT
    value,
    starts_on                                                        AS period,
    expected::DECIMAL(18, 4)                                         AS expected,
    CASE WHEN list_contains($levels, '80') THEN low_80 END::DECIMAL(18, 4)   AS low_80,
    CASE WHEN list_contains($levels, '80') THEN high_80 END::DECIMAL(18, 4)  AS high_80,
    CASE WHEN list_contains($levels, '95') THEN low_95 END::DECIMAL(18, 4)   AS low_95,
    CASE WHEN list_contains($levels, '95') THEN high_95 END::DECIMAL(18, 4)  AS high_95,
    method,
    beats_naive,
    round(mase, 6)                                                   AS mase,
    round(wape, 6)                                                   AS wape,
    round(naive_mase, 6)                                             AS naive_mase,
    round(naive_wape, 6)                                             AS naive_wape
FROM teal.forecasts
WHERE metric = $metric
    AND grain = $grain
    AND dimension = $dimension
    AND currency = $currency
    AND step <= $horizon
ORDER BY value NULLS FIRST, starts_on
