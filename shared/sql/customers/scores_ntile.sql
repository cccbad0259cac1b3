-- Fifths of customers: ranked by value and, where it is equal, by customer_id; where customers cannot be divided by five, the
-- lowest scores have one more.
SELECT
    *,
    ntile(5) OVER (ORDER BY recency_days DESC, customer_id)::INTEGER   AS r_score,
    ntile(5) OVER (ORDER BY orders, customer_id)::INTEGER              AS f_score,
    ntile(5) OVER (ORDER BY net_sales, customer_id)::INTEGER           AS m_score
FROM recent
