-- Of the orders of a product in both windows, how many are now: by chance as many as of all other products, and no less (of a
-- product that rises; no more of one that falls) than half, as of one that stays as it is.
WITH beside_others AS (
    SELECT
        *,
        sum(orders_now) OVER () - orders_now                                        AS others_now,
        sum(orders_before) OVER () - orders_before                                  AS others_before,
        coalesce(others_now / nullif(others_now + others_before, 0), 0.5)           AS share_of_others
    FROM sold_products
)

SELECT
    *,
    CASE
        WHEN orders_now > orders_before THEN greatest(share_of_others, 0.5)
        ELSE least(share_of_others, 0.5)
    END                                                                             AS share,
    orders_now                                                                      AS hits,
    orders_now + orders_before                                                      AS cases,
    count(*) OVER ()                                                                AS tests
FROM beside_others
WHERE $knows_before AND orders_now + orders_before >= $min_orders
