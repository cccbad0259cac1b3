-- Of the customers of `bought`, the first $rows_wanted: largest first by `amount`, each with its share of it and that of all
-- above. What is shown of a customer is worked out last, for those of the page alone.
WITH largest AS (
    FROM bought
    ORDER BY amount DESC, customer_id
    LIMIT $rows_wanted
),

ranked AS (
    SELECT
        *,
        row_number() OVER by_amount    AS rank,
        sum(amount) OVER by_amount     AS running_amount
    FROM largest
    WINDOW by_amount AS (ORDER BY amount DESC, customer_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)

SELECT
    rank,
    customer_id,
    label,
    round(gross_sales, 4)::DECIMAL(18, 4)                                    AS gross_sales,
    round(returns, 4)::DECIMAL(18, 4)                                        AS returns,
    round(net_sales, 4)::DECIMAL(18, 4)                                      AS net_sales,
    orders,
    units,
    first_day                                                                AS first_order,
    last_day                                                                 AS last_order,
    round(amount / nullif(all_amounts, 0), 6)::DECIMAL(18, 6)                AS share_of_metric,
    round(running_amount / nullif(all_amounts, 0), 6)::DECIMAL(18, 6)        AS running_share,
    _seen
FROM (
    SELECT
        ranked.*,
        customers.name    AS label,
        all_amounts,
        seen              AS _seen
    FROM ranked
    CROSS JOIN (SELECT sum(amount) AS all_amounts FROM bought)
    CROSS JOIN whole
    LEFT JOIN customers ON $sees_personal AND customers.customer_id = ranked.customer_id
    ORDER BY rank
)
