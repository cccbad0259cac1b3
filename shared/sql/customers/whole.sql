-- Of all customers together, what an answer has to be looked at for before it may be given (the lowest and the highest
-- currency, a missing exchange rate), and up to when was looked.
SELECT [min(lowest_currency), max(highest_currency), min(missing_rate), $until] AS seen
FROM totals
