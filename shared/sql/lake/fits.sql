-- Every fit of a model that the lake keeps.
SELECT
    model,
    currency,
    status,
    reason,
    snapshot,
    epoch_us(fitted_at) AS fitted_at,
    facts
FROM teal.models
ORDER BY model, currency
