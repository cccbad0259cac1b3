-- The id of a customer.
CREATE MACRO person_name(person) AS 'C' || lpad(person::VARCHAR, 9, '0')
