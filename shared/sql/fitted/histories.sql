-- The purchase history of each customer of `days` by $last, for the models: repeats, and the times of the last and of $last
-- since the first purchase, in days; the mean value of repeats, and days with a purchase after $last up to $until.
SELECT
    customer_id,
    min(day)                                                                    AS first_day,
    max(day) FILTER (day <= $last)                                              AS last_day,
    count(*) FILTER (day <= $last) - 1                                          AS repeats,
    (max(day) FILTER (day <= $last) - min(day))::DOUBLE                         AS last_time,
    ($last::DATE - min(day))::DOUBLE                                            AS age,
    coalesce(
        (sum(value) FILTER (day <= $last) - arg_min(value, day))
        / nullif(count(*) FILTER (day <= $last) - 1, 0), 0
    )::DOUBLE                                                                   AS mean_value,
    sum(value) FILTER (day <= $last)                                            AS net_sales,
    count(*) FILTER (day > $last)::DOUBLE                                       AS later
FROM temp.purchase_history
GROUP BY customer_id
HAVING min(day) <= $last
ORDER BY customer_id
