-- What each product sold in the window and in the one before it; an order counts once however many lines it has of it.
WITH held AS (
    SELECT
        product_id,
        order_id,
        is_now,
        bool_or(is_recent)                                      AS is_recent,
        bool_or(is_sale)                                        AS is_sale,
        bool_or(returned_units > 0)                             AS is_return,
        bool_or(is_sale AND discounts > 0)                      AS is_discounted,
        sum(gross_sales)                                        AS gross_sales,
        sum(discounts)                                          AS discounts,
        sum(returns)                                            AS returns,
        sum(net_sales)                                          AS net_sales,
        sum(units)                                              AS units,
        sum(returned_units)                                     AS returned_units
    FROM sold_lines
    GROUP BY product_id, order_id, is_now
)

SELECT
    product_id,
    count(*) FILTER (is_now AND is_sale)                                AS orders_now,
    count(*) FILTER (NOT is_now AND is_sale)                            AS orders_before,
    count(*) FILTER (is_recent AND is_sale)                             AS orders_recent,
    count(*) FILTER (is_now AND is_return)                              AS returning_orders,
    count(*) FILTER (is_now AND is_discounted)                          AS discounted_now,
    count(*) FILTER (NOT is_now AND is_discounted)                      AS discounted_before,
    coalesce(sum(units) FILTER (is_now), 0)                             AS units_now,
    coalesce(sum(units) FILTER (NOT is_now), 0)                         AS units_before,
    coalesce(sum(units) FILTER (is_recent), 0)                          AS units_recent,
    coalesce(sum(returned_units) FILTER (is_now), 0)                    AS returned_units,
    coalesce(sum(gross_sales) FILTER (is_now), 0)                       AS gross_now,
    coalesce(sum(gross_sales) FILTER (NOT is_now), 0)                   AS gross_before,
    coalesce(sum(discounts) FILTER (is_now), 0)                         AS discounts_now,
    coalesce(sum(discounts) FILTER (NOT is_now), 0)                     AS discounts_before,
    coalesce(sum(returns) FILTER (is_now), 0)                           AS returns_now,
    coalesce(sum(net_sales) FILTER (is_now), 0)                         AS net_now,
    coalesce(sum(net_sales) FILTER (NOT is_now), 0)                     AS net_before,
    coalesce(sum(net_sales) FILTER (is_recent), 0)                      AS net_recent
FROM held
GROUP BY product_id
