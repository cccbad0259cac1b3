-- Attempts at a funnel whose first step is done: each begins with an event of step 1 in the range. `start` names an attempt
-- of an entity by the place of its first event.
SELECT
    entity,
    value,
    place       AS start,
    at_us          AS began_us,
    place,
    at_us,
    at_us          AS before_us
FROM marked
WHERE mask & 1 <> 0
    AND ($from_at::TIMESTAMPTZ IS NULL OR at_us >= epoch_us($from_at::TIMESTAMPTZ))
    AND ($to_at::TIMESTAMPTZ IS NULL OR at_us < epoch_us($to_at::TIMESTAMPTZ))
