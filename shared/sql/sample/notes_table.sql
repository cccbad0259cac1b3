-- Orders whose goods come back by a credit note, in whichever period that is.
CREATE TABLE IF NOT EXISTS notes AS
FROM orders_now LIMIT 0
