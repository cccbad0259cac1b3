-- What came back of each value of the dimension, the largest amount first and equal ones by value, or of each period,
-- oldest first.
SELECT
    dated.value,
    label,
    period,
    orders,
    units,
    returned_units,
    round(returned_units / nullif(units, 0), 6)::DECIMAL(18, 6)                             AS return_rate,
    gross_sales,
    discounts,
    returns,
    round(-returns / nullif(gross_sales - discounts, 0), 6)::DECIMAL(18, 6)                 AS returned_share,
    seen                                                                                    AS _seen
FROM dated
INNER JOIN groups ON groups.value IS NOT DISTINCT FROM dated.value
CROSS JOIN whole
ORDER BY
    period,
    returns,
    dated.value NULLS LAST
