-- Attempts at a funnel whose steps may be done in any order, those that did step 1: one from each event of a step in the range.
-- `start` names an attempt of an entity by the place of its first event; `done_us` is when each step is done next.
SELECT
    entity,
    value,
    place       AS start,
    at_us       AS began_us,
    done_us[1]  AS at_us,
    at_us       AS before_us,
    done_us
FROM nearest
WHERE ($from_at::TIMESTAMPTZ IS NULL OR at_us >= epoch_us($from_at::TIMESTAMPTZ))
    AND ($to_at::TIMESTAMPTZ IS NULL OR at_us < epoch_us($to_at::TIMESTAMPTZ))
    AND done_us[1] <= at_us + $window
