-- Every period of the asked range; where it is open, from the first or to the last one with orders. Beside each, what `whole`
-- has too.
SELECT
    unnest(
        generate_series(
            coalesce(date_trunc($grain, $local_from::TIMESTAMP), min(bucket)),
            coalesce($local_to::TIMESTAMP - INTERVAL 1 MICROSECOND, max(bucket)),
            CAST($step AS INTERVAL)
        )
    )                                                                AS bucket,
    [min(lowest_currency), max(highest_currency), min(missing_rate)] AS seen
FROM metrics
