-- CTEs of the affinity question from what was counted beforehand; $least_orders is not less than what was kept.
basket_counts AS (
    SELECT
        $all_orders::BIGINT         AS all_orders,
        $left_out_orders::BIGINT    AS left_out_orders,
        $least_orders::BIGINT       AS least_orders
),

items AS MATERIALIZED (
    SELECT
        product_id,
        row_number() OVER (ORDER BY product_id)::INTEGER    AS item,
        orders
    FROM teal.basket_items
    WHERE orders >= $least_orders
),

sets AS MATERIALIZED (
    SELECT
        [item]    AS items,
        orders
    FROM items
    UNION ALL
    SELECT
        [one.item, other.item],
        pairs.orders
    FROM teal.basket_pairs AS pairs
    INNER JOIN items AS one ON one.product_id = pairs.first_product
    INNER JOIN items AS other ON other.product_id = pairs.second_product
    WHERE pairs.orders >= $least_orders
),

basket_work AS (
    SELECT [all_orders, least_orders, left_out_orders, 0, 0] AS seen
    FROM basket_counts
)
