-- The documents of a period: its orders, and the credit notes that are due, with the order they are for.
CREATE OR REPLACE TEMP TABLE billed_now AS
SELECT *, second AS billed_at
FROM orders_now
UNION ALL
SELECT * REPLACE (true AS is_note), returned_at AS billed_at
FROM notes
WHERE returned_at >= $from AND returned_at < $to
