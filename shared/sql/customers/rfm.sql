-- The customers of `segmented`, best scores first. What is shown of a customer is worked out last, for those of the page alone.
SELECT
    customer_id,
    label,
    last_order,
    recency_days,
    orders,
    round(net_sales, 4)::DECIMAL(18, 4)                AS net_sales,
    r_score,
    f_score,
    m_score,
    concat(r_score, f_score, m_score)                  AS rfm,
    segment,
    _seen
FROM (
    SELECT
        segmented.*,
        customers.name    AS label,
        seen              AS _seen
    FROM segmented
    CROSS JOIN whole
    LEFT JOIN customers ON $sees_personal AND customers.customer_id = segmented.customer_id
    WHERE ($only::VARCHAR[] IS NULL OR list_contains($only, segmented.segment))
        AND ($shown::VARCHAR[] IS NULL OR list_contains($shown, segmented.customer_id))
    ORDER BY r_score DESC, f_score DESC, m_score DESC, segmented.net_sales DESC, segmented.customer_id
)
