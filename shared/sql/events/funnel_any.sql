-- The attempts of `before` that do one more step, at `next_us` and at whatever time of their window. `at_us` is when the last of
-- the steps so far was done.
SELECT
    entity,
    value,
    start,
    began_us,
    greatest(at_us, next_us)    AS at_us,
    at_us                       AS before_us,
    done_us
FROM before
WHERE next_us <= began_us + $window
