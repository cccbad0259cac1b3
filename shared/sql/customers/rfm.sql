-- The customers of `scored` with their segment, best scores first.
SELECT
    segmented.customer_id                              AS customer_id,
    customers.name                                     AS label,
    last_order,
    recency_days,
    orders,
    net_sales::DECIMAL(18, 4)                          AS net_sales,
    r_score,
    f_score,
    m_score,
    concat(r_score, f_score, m_score)                  AS rfm,
    segmented.segment                                  AS segment,
    seen                                               AS _seen
FROM segmented
CROSS JOIN whole
LEFT JOIN customers ON $sees_personal AND customers.customer_id = segmented.customer_id
WHERE ($only::VARCHAR[] IS NULL OR list_contains($only, segmented.segment))
    AND ($shown::VARCHAR[] IS NULL OR list_contains($shown, segmented.customer_id))
ORDER BY r_score DESC, f_score DESC, m_score DESC, segmented.net_sales DESC, segmented.customer_id
