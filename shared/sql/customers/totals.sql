-- What each customer of `facts` bought in the range, and when; `first_at` is the first order ever, also before the range. One
-- row per customer: with no order in the range `orders` is 0, with returns alone `first_at` is NULL.
SELECT
    customer_id,
    min(ordered_at) FILTER (is_order)                                                    AS first_at,
    max(ordered_at) FILTER (is_order AND in_range)                                       AS last_at,
    count(*) FILTER (is_order AND in_range)                                              AS orders,
    coalesce(sum(gross_sales) FILTER (in_range), 0)                                      AS gross_sales,
    coalesce(sum(returns) FILTER (in_range), 0)                                          AS returns,
    coalesce(sum(gross_sales - discounts + returns + adjustments) FILTER (in_range), 0)  AS net_sales,
    coalesce(sum(units) FILTER (in_range), 0)::BIGINT                                    AS units,
    min(currency) FILTER (in_range)                                                      AS lowest_currency,
    max(currency) FILTER (in_range)                                                      AS highest_currency,
    min(missing_rate) FILTER (in_range)                                                  AS missing_rate
FROM (SELECT *, $range_from::TIMESTAMPTZ IS NULL OR ordered_at >= $range_from AS in_range FROM facts)
GROUP BY customer_id
