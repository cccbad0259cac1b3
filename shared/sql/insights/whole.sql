-- Of both windows together: the lowest and the highest currency, by which amounts may be added up, and how it is shown.
SELECT
    min(currency)                                                                   AS currency,
    coalesce(' ' || nullif(min(currency), 'none'), '')                              AS unit,
    coalesce(sum(net_sales) FILTER (is_now), 0)                                     AS net_of_all,
    coalesce(sum(units) FILTER (is_now), 0)                                         AS all_units_now,
    coalesce(sum(units) FILTER (NOT is_now), 0)                                     AS all_units_before,
    [min(currency), max(currency), NULL]                                            AS seen
FROM sold_orders
