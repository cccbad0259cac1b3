-- The time zones that the days of rollups were made in, with the countries, channels and currencies that were ever there together.
SELECT DISTINCT
    zone,
    country,
    channel,
    currency
FROM teal.sales_days
WHERE with_sales <> 0 OR with_adjustments <> 0 OR with_zeros <> 0
