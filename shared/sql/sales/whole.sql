-- All groups together: the first and the last, and in one list what an answer has to be looked at for before it may be given:
-- the lowest and the highest currency, and a missing exchange rate.
SELECT
    min(bucket)                                                                AS first_bucket,
    max(bucket)                                                                AS last_bucket,
    [min(lowest_currency), max(highest_currency), min(missing_rate)]           AS seen
FROM metrics
