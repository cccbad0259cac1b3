-- Scores by how many customers have a lower value, in whole fifths: equal values have equal scores.
SELECT
    *,
    (1 + 5 * (rank() OVER (ORDER BY recency_days DESC) - 1) // count(*) OVER ())::INTEGER   AS r_score,
    (1 + 5 * (rank() OVER (ORDER BY orders) - 1) // count(*) OVER ())::INTEGER              AS f_score,
    (1 + 5 * (rank() OVER (ORDER BY net_sales) - 1) // count(*) OVER ())::INTEGER           AS m_score
FROM recent
