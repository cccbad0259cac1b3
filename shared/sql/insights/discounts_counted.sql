-- Of the discounted orders of a product, a country or a channel in both windows, how many are now; by chance as many as of all
-- its orders. Of countries and channels, what was taken off an order as a whole counts too.
WITH discounted AS (
    SELECT
        CASE WHEN grouping(country) = 0 THEN 'country' ELSE 'channel' END           AS subject_type,
        CASE WHEN grouping(country) = 0 THEN country ELSE channel END               AS subject,
        count(*) FILTER (is_now AND is_order)                                       AS orders_now,
        count(*) FILTER (NOT is_now AND is_order)                                   AS orders_before,
        count(*) FILTER (is_now AND is_order AND discounts > 0)                     AS discounted_now,
        count(*) FILTER (NOT is_now AND is_order AND discounts > 0)                 AS discounted_before,
        coalesce(sum(units) FILTER (is_now), 0)                                     AS units_now,
        coalesce(sum(units) FILTER (NOT is_now), 0)                                 AS units_before,
        coalesce(sum(gross_sales) FILTER (is_now), 0)                               AS gross_now,
        coalesce(sum(gross_sales) FILTER (NOT is_now), 0)                           AS gross_before,
        coalesce(sum(discounts) FILTER (is_now), 0)                                 AS discounts_now,
        coalesce(sum(discounts) FILTER (NOT is_now), 0)                             AS discounts_before
    FROM sold_orders
    GROUP BY GROUPING SETS ((country), (channel))
    UNION ALL BY NAME
    SELECT
        'product'                                                                   AS subject_type,
        product_id                                                                  AS subject,
        orders_now,
        orders_before,
        discounted_now,
        discounted_before,
        units_now,
        units_before,
        gross_now,
        gross_before,
        discounts_now,
        discounts_before
    FROM sold_products
)

SELECT
    *,
    orders_now / nullif(orders_now + orders_before, 0)                              AS share,
    discounted_now                                                                  AS hits,
    discounted_now + discounted_before                                              AS cases,
    count(*) OVER ()                                                                AS tests
FROM discounted
WHERE $knows_before AND subject IS NOT NULL AND orders_now >= $min_orders AND orders_before >= $min_orders
