-- What is told beside the rules: orders looked at, orders that a set needs, orders left out, and how many sets were to count.
SELECT [all_orders, least_orders, left_out_orders, candidates, (SELECT max(work) FROM larger_work)] AS seen
FROM basket_counts
CROSS JOIN pairs_to_count
