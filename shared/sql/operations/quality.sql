-- What came in of each dataset (or column) in each period with uploads, and how good and how new it was.
SELECT
    dataset,
    strftime(bucket, '%Y-%m-%d')                                                    AS period,
    column_name,
    uploads,
    held_uploads,
    received::BIGINT                                                                AS received,
    valid::BIGINT                                                                   AS valid,
    accepted::BIGINT                                                                AS accepted,
    held::BIGINT                                                                    AS held,
    duplicate::BIGINT                                                               AS duplicate,
    missing::BIGINT                                                                 AS missing,
    round(valid / nullif(received, 0), 6)::DECIMAL(9, 6)                            AS validity,
    round(1 - missing / nullif(filled, 0), 6)::DECIMAL(9, 6)                        AS completeness,
    missing_references::BIGINT                                                      AS missing_references,
    strftime(make_timestamp(newest_us), '%Y-%m-%dT%H:%M:%SZ')                       AS newest_at,
    (least(ends_us, epoch_us($to_at::TIMESTAMPTZ), epoch_us($committed_at::TIMESTAMPTZ)) - newest_us) // 1000000
                                                                                    AS age_seconds,
    coalesce(ends_us <= epoch_us($committed_at::TIMESTAMPTZ), false)                AS complete
FROM (
    SELECT
        *,
        -- Also what came before the range.
        epoch_us(max(newest_at) OVER (PARTITION BY dataset, column_name ORDER BY bucket)) AS newest_us
    FROM ended
)
WHERE uploads > 0
ORDER BY
    dataset,
    bucket,
    column_name
