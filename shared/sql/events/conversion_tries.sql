-- Every first event in the range, and whether the goal followed inside the window. Where anything is a first event, the goal may
-- be that event itself.
SELECT
    entity,
    value,
    make_timestamptz(at_us)                     AS tried_at,
    coalesce(goal_us <= at_us + $window, false) AS converted
FROM (
    SELECT
        *,
        CASE
            WHEN $goal_may_be_first AND mask & 2 <> 0 THEN at_us
            ELSE min(CASE WHEN mask & 2 <> 0 THEN at_us END) OVER later
        END AS goal_us
    FROM marked
    WINDOW later AS (PARTITION BY entity ORDER BY place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
WHERE mask & 1 <> 0
    AND ($from_at::TIMESTAMPTZ IS NULL OR at_us >= epoch_us($from_at::TIMESTAMPTZ))
    AND ($to_at::TIMESTAMPTZ IS NULL OR at_us < epoch_us($to_at::TIMESTAMPTZ))
