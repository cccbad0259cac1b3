-- How many orders are looked at, how many are left out as too large, and in how many a set has to be: the least integer that is
-- not below $support_numerator / $support_denominator of the orders, in integers.
SELECT
    count(*) FILTER (size <= $max_basket)                AS all_orders,
    count(*) FILTER (size > $max_basket)                 AS left_out_orders,
    greatest(
        (all_orders::HUGEINT * $support_numerator + $support_denominator - 1) // $support_denominator,
        $min_orders
    )::BIGINT                                            AS least_orders
FROM baskets
