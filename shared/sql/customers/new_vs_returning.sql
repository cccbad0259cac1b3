-- New and returning customers of each of `periods` in the asked time zone, oldest first; zeros where there are no orders. A
-- period that was not over when the snapshot was committed is not complete.
SELECT
    strftime(bucket, '%Y-%m-%d')                                AS period,
    coalesce(new_customers, 0)                                  AS new_customers,
    coalesce(returning_customers, 0)                            AS returning_customers,
    round(
        returning_customers / nullif(new_customers + returning_customers, 0), 6
    )::DECIMAL(9, 6)                                            AS returning_rate,
    coalesce(new_orders, 0)::BIGINT                             AS new_orders,
    coalesce(returning_orders, 0)::BIGINT                       AS returning_orders,
    coalesce(guest_orders, 0)::BIGINT                           AS guest_orders,
    coalesce(new_net_sales, 0)::DECIMAL(18, 4)                  AS new_net_sales,
    coalesce(returning_net_sales, 0)::DECIMAL(18, 4)            AS returning_net_sales,
    coalesce(guest_net_sales, 0)::DECIMAL(18, 4)                AS guest_net_sales,
    bucket + CAST($step AS INTERVAL) <= $local_committed_at::TIMESTAMP AS complete,
    list_append(seen, $until)                                   AS _seen
FROM periods
LEFT JOIN metrics USING (bucket)
ORDER BY bucket
