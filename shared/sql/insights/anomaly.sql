-- Days at the end of the window on which net sales were not what could be expected; from the model of anomalies.
SELECT
    'anomaly'                                                                                         AS kind,
    format(
        'Net sales of {} were {:,.2f}{}, {} the expected {:,.2f}{}',
        strftime(starts_on, '%Y-%m-%d'), actual, unit, CASE WHEN direction > 0 THEN 'above' ELSE 'below' END, expected, unit
    )                                                                                                 AS title,
    'day'                                                                                             AS subject_type,
    [strftime(starts_on, '%Y-%m-%d')]                                                                 AS subject_ids,
    [NULL::VARCHAR]                                                                                   AS subject_names,
    abs(actual - expected)                                                                            AS money_at_stake,
    MAP {'direction': direction::BIGINT, 'is_outage': is_outage::BIGINT}                              AS counts,
    MAP {
        'net_sales': actual::DECIMAL(18, 4),
        'expected': expected::DECIMAL(18, 4),
        'lower': lower::DECIMAL(18, 4),
        'upper': upper::DECIMAL(18, 4)
    }                                                                                                 AS amounts,
    MAP {'score': round(score, 6)}                                                                    AS rates,
    strftime(starts_on, '%Y-%m-%d')                                                                   AS period_from,
    strftime(starts_on + 1, '%Y-%m-%d')                                                               AS period_to,
    'distance of net sales from what the days before let expect'                                      AS how,
    'outside of the bounds, which about 0.5 of 100 ordinary days are'                                 AS threshold,
    format(
        '/v1/sales/anomalies?from={}&to={}&currency={}',
        strftime(starts_on, '%Y-%m-%d'), strftime(starts_on + 1, '%Y-%m-%d'), $anomalies_currency
    )                                                                                                 AS look_further
FROM teal.anomalies
CROSS JOIN (SELECT coalesce(' ' || nullif($anomalies_currency, 'none'), '') AS unit)
WHERE metric = 'net_sales'
    AND grain = 'day'
    AND dimension = 'none'
    AND sensitivity = 'medium'
    AND currency = $anomalies_currency
    AND starts_on >= $anomalies_from::DATE
    AND starts_on < $anomalies_to::DATE
    AND direction <> 0
    AND NOT is_closed
    AND (SELECT whole.currency IS NULL OR whole.currency = $anomalies_currency FROM whole)
