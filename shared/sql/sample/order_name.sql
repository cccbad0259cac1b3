-- The id of an order, ascending with time; a credit note has its order's number.
CREATE MACRO order_name(number, is_note) AS
    CASE WHEN is_note THEN 'R' ELSE 'O' END || lpad(number::VARCHAR, 9, '0')
