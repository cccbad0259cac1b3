-- An amount of cents as money.
CREATE MACRO money(cents) AS (cents::BIGINT * 0.01)::DECIMAL(18, 4)
