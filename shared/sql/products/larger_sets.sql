-- The sets of `larger` that enough orders hold, numbered.
SELECT
    larger.first_set,
    larger.last_item,
    list_append(any_value(smaller_sets.items), larger.last_item)    AS items,
    count(*)                                                        AS orders,
    row_number() OVER ()::INTEGER                                   AS set_number
FROM larger
INNER JOIN smaller_sets ON smaller_sets.set_number = larger.first_set
GROUP BY larger.first_set, larger.last_item
HAVING count(*) >= (SELECT least_orders FROM basket_counts)
