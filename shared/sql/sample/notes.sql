-- Remember the orders of this period that get a credit note.
INSERT INTO notes
FROM orders_now
WHERE is_noted AND returned > 0
