-- Months to come that are expected to stay below the same month a year before; from the forecast and the rollup of days.
WITH expected_months AS (
    SELECT
        starts_on,
        expected,
        low_95,
        high_95,
        (starts_on - INTERVAL 1 YEAR)::DATE                        AS earlier_from,
        (starts_on - INTERVAL 1 YEAR + INTERVAL 1 MONTH)::DATE     AS earlier_to
    FROM teal.forecasts
    WHERE metric = 'net_sales'
        AND grain = 'month'
        AND dimension = 'none'
        AND currency = $forecast_currency
        AND step <= $forecast_months
        AND (SELECT whole.currency IS NULL OR whole.currency = $forecast_currency FROM whole)
),

earlier AS (
    SELECT starts_on, sum(gross_sales - discounts + returns) AS net
    FROM expected_months
    INNER JOIN teal.sales_days ON day >= earlier_from AND day < earlier_to
    WHERE zone = $rollup_zone
        AND coalesce(currency, $default_currency) = $forecast_currency
        AND earlier_from >= $first_day::DATE
    GROUP BY starts_on
)

SELECT
    'forecast_below'                                                                                  AS kind,
    format(
        'Net sales of {} are expected to be {:,.2f}{}, after {:,.2f}{} a year before',
        strftime(starts_on, '%Y-%m'), expected, unit, net, unit
    )                                                                                                 AS title,
    'month'                                                                                           AS subject_type,
    [strftime(starts_on, '%Y-%m')]                                                                    AS subject_ids,
    [NULL::VARCHAR]                                                                                   AS subject_names,
    net - expected                                                                                    AS money_at_stake,
    MAP([]::VARCHAR[], []::BIGINT[])                                                                  AS counts,
    MAP {
        'expected': expected::DECIMAL(18, 4),
        'low_95': low_95::DECIMAL(18, 4),
        'high_95': high_95::DECIMAL(18, 4),
        'net_sales_a_year_before': net::DECIMAL(18, 4)
    }                                                                                                 AS amounts,
    MAP {'change': round(expected / net - 1, 6)}                                                      AS rates,
    strftime(starts_on, '%Y-%m-%d')                                                                   AS period_from,
    strftime(starts_on + INTERVAL 1 MONTH, '%Y-%m-%d')                                                AS period_to,
    'net sales of the same month a year before − expected net sales'                                  AS how,
    'last year is above the interval that holds 95 % of outcomes'                                     AS threshold,
    '/v1/sales/forecast?grain=month&currency=' || $forecast_currency                                  AS look_further
FROM expected_months
INNER JOIN earlier USING (starts_on)
CROSS JOIN (SELECT coalesce(' ' || nullif($forecast_currency, 'none'), '') AS unit)
WHERE high_95 < net
