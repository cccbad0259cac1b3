-- Of all groups together, what an answer has to be looked at for before it may be given: the lowest and the highest currency,
-- and a missing exchange rate.
SELECT [min(lowest_currency), max(highest_currency), min(missing_rate)] AS seen
FROM metrics
