-- How many sets of one item more all orders hold, made of two of `smaller` that differ in the last item; or how many of those
-- were to write down, if they are more.
SELECT
    greatest(
        (
            SELECT coalesce(sum(held * (held - 1) // 2), 0)
            FROM (SELECT count(*) AS held FROM smaller GROUP BY basket, first_set)
        ),
        (SELECT coalesce(sum(orders), 0) FROM smaller_sets)
    )::BIGINT AS work
