-- The pairs of items that are together in enough orders, numbered; none where they are too many to count. A set is told by what
-- it is without its last item (of a pair: the item) and the last one.
SELECT
    one.item                                                              AS first_set,
    other.item                                                            AS last_item,
    [one.item, other.item]                                                AS items,
    count(*)                                                              AS orders,
    row_number() OVER ()::INTEGER                                         AS set_number
FROM members AS one
INNER JOIN members AS other ON other.basket = one.basket AND other.item > one.item
WHERE (SELECT candidates <= $max_pairs FROM pairs_to_count)
GROUP BY one.item, other.item
HAVING count(*) >= (SELECT least_orders FROM basket_counts)
