-- How many pairs of items all orders hold together.
SELECT coalesce(sum(held * (held - 1) // 2), 0)::BIGINT AS candidates
FROM (SELECT count(*) AS held FROM members GROUP BY basket)
