-- What each bucket and value of lines adds up to: an order with several lines counts once, and its returns count for AOV where
-- it has a sale there. Orders are not added up one by one: they are as many as the lines, and the groups are few.
WITH orders_without_sale AS (
    SELECT
        bucket,
        value,
        sum(gross_sales - discounts + returns) AS net_sales
    FROM (FROM buckets WHERE NOT of_order) AS returned
    ANTI JOIN (SELECT bucket, value, order_id FROM buckets WHERE of_order) AS sold
        ON sold.order_id = returned.order_id AND sold.bucket = returned.bucket
            AND sold.value IS NOT DISTINCT FROM returned.value
    GROUP BY bucket, value
),

sums AS (
    SELECT
        bucket,
        value,
        sum(gross_sales)                                                     AS gross_sales,
        sum(discounts)                                                       AS discounts,
        sum(returns)                                                         AS returns,
        sum(adjustments)                                                     AS adjustments,
        sum(tax)                                                             AS tax,
        sum(shipping)                                                        AS shipping,
        sum(units)                                                           AS units,
        sum(returned_units)                                                  AS returned_units,
        count(DISTINCT order_id) FILTER (is_order)                           AS orders,
        count(DISTINCT customer_id) FILTER (is_order)                        AS customers,
        min(coalesce(currency, ''))                                          AS lowest_currency,
        max(coalesce(currency, ''))                                          AS highest_currency,
        min(missing_rate)                                                    AS missing_rate
    FROM buckets
    GROUP BY bucket, value
)

SELECT
    sums.*,
    gross_sales - discounts + returns - coalesce(orders_without_sale.net_sales, 0) AS net_of_orders
FROM sums
LEFT JOIN orders_without_sale
    ON orders_without_sale.bucket = sums.bucket AND orders_without_sale.value IS NOT DISTINCT FROM sums.value
