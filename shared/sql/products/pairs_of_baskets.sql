-- Which order holds which of the pairs in `sets_2`; none where they are too many to write down.
SELECT
    one.basket,
    sets_2.first_set,
    sets_2.last_item,
    sets_2.set_number
FROM members AS one
INNER JOIN members AS other ON other.basket = one.basket AND other.item > one.item
INNER JOIN sets_2 ON sets_2.first_set = one.item AND sets_2.last_item = other.item
WHERE (SELECT coalesce(sum(orders), 0) <= $max_larger FROM sets_2)
