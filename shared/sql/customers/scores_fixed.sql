-- Scores by four limits each: a point for every limit of orders or net sales that is reached, or of days that is not passed.
SELECT
    *,
    1 + (recency_days <= $recency[1])::INTEGER + (recency_days <= $recency[2])::INTEGER
        + (recency_days <= $recency[3])::INTEGER + (recency_days <= $recency[4])::INTEGER   AS r_score,
    1 + (orders >= $frequency[1])::INTEGER + (orders >= $frequency[2])::INTEGER
        + (orders >= $frequency[3])::INTEGER + (orders >= $frequency[4])::INTEGER           AS f_score,
    1 + (net_sales >= $monetary[1])::INTEGER + (net_sales >= $monetary[2])::INTEGER
        + (net_sales >= $monetary[3])::INTEGER + (net_sales >= $monetary[4])::INTEGER       AS m_score
FROM recent
