-- The periods of every group in which something happened.
SELECT
    periods.*,
    groups.value,
    groups.label
FROM metrics
INNER JOIN periods ON periods.bucket = metrics.bucket
INNER JOIN groups ON groups.value IS NOT DISTINCT FROM metrics.value
