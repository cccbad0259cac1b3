-- No insights: what is found where no kind that was asked for can be looked at.
SELECT
    NULL::VARCHAR                               AS kind,
    NULL::VARCHAR                               AS title,
    NULL::VARCHAR                               AS subject_type,
    NULL::VARCHAR[]                             AS subject_ids,
    NULL::VARCHAR[]                             AS subject_names,
    NULL::DOUBLE                                AS money_at_stake,
    NULL::MAP(VARCHAR, BIGINT)                  AS counts,
    NULL::MAP(VARCHAR, DECIMAL(18, 4))          AS amounts,
    NULL::MAP(VARCHAR, DOUBLE)                  AS rates,
    NULL::VARCHAR                               AS period_from,
    NULL::VARCHAR                               AS period_to,
    NULL::VARCHAR                               AS how,
    NULL::VARCHAR                               AS threshold,
    NULL::VARCHAR                               AS look_further
WHERE false
