-- The customers of `scored`, each with the segment that its three scores stand for: `segment_of` holds one per combination.
SELECT *, $segment_of[(r_score - 1) * 25 + (f_score - 1) * 5 + m_score] AS segment
FROM scored
