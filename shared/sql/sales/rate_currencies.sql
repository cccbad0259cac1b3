-- The currencies that have rates.
SELECT DISTINCT upper(currency) AS currency
FROM rates
UNION
SELECT DISTINCT upper(base)
FROM rates
