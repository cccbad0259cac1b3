-- Of the orders with one product, how many also hold the other; by chance as many as of all orders, times what their unequal
-- sizes add.
SELECT
    *,
    spread * consequent_orders / all_orders    AS share,
    set_orders                                 AS hits,
    antecedent_orders                          AS cases
FROM sold_pairs
WHERE antecedent IS NOT NULL
