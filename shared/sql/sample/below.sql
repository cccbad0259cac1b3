-- A whole number from 0 to below n, from the upper half of a draw.
CREATE MACRO below(drawn, n) AS (((drawn >> 32) * n::UBIGINT) >> 32)::INTEGER
