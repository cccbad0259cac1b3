-- Customers with an order in the range, largest first by the asked metric, each with its share of it and that of all above.
WITH bought AS (
    SELECT
        *,
        CASE $by
            WHEN 'net_sales' THEN net_sales
            WHEN 'gross_sales' THEN gross_sales
            WHEN 'returns' THEN -returns
            WHEN 'orders' THEN orders
            ELSE units
        END::DECIMAL(24, 4) AS amount
    FROM dated
    WHERE orders > 0
)

SELECT
    row_number() OVER ranked                                                             AS rank,
    bought.customer_id                                                                   AS customer_id,
    customers.name                                                                       AS label,
    gross_sales::DECIMAL(18, 4)                                                          AS gross_sales,
    returns::DECIMAL(18, 4)                                                              AS returns,
    net_sales::DECIMAL(18, 4)                                                            AS net_sales,
    orders,
    units,
    first_day                                                                            AS first_order,
    last_day                                                                             AS last_order,
    round(amount / nullif(sum(amount) OVER (), 0), 6)::DECIMAL(18, 6)                    AS share_of_metric,
    round(sum(amount) OVER ranked / nullif(sum(amount) OVER (), 0), 6)::DECIMAL(18, 6)   AS running_share,
    seen                                                                                 AS _seen
FROM bought
CROSS JOIN whole
LEFT JOIN customers ON $sees_personal AND customers.customer_id = bought.customer_id
WINDOW ranked AS (ORDER BY amount DESC, bought.customer_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY rank
