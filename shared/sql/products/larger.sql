-- Which order holds which set of one item more, made of two of `smaller` that differ in the last item; none where they are too
-- many to count.
SELECT
    one.basket,
    one.set_number    AS first_set,
    other.last_item
FROM smaller AS one
INNER JOIN smaller AS other
    ON other.basket = one.basket AND other.first_set = one.first_set AND other.last_item > one.last_item
WHERE (SELECT work <= $max_larger FROM larger_to_count)
