-- Every period of the asked range; where it is open, from the first or to the last one with orders. Beside each, what `whole`
-- has too.
SELECT
    unnest(
        generate_series(
            least(
                CASE $grain WHEN 'hour' THEN $local_from::TIMESTAMP ELSE date_trunc($grain, $local_from::TIMESTAMP) END,
                min(bucket)
            ),
            greatest($local_to::TIMESTAMP - INTERVAL 1 MICROSECOND, max(bucket)),
            CAST($step AS INTERVAL)
        )
    )                                                                AS bucket,
    [min(lowest_currency), max(highest_currency), min(missing_rate)] AS seen
FROM metrics
