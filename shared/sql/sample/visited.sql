-- How many order lines there are, and whom they reach.
SELECT coalesce(sum(lines + returned), 0)::BIGINT, coalesce(max(person), 0) FROM visits
