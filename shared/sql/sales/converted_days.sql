-- The same of days, which know the net sales of orders with a sale beside.
SELECT
    priced.* EXCLUDE (day, factor) REPLACE (
        $convert                                  AS currency,
        gross_sales::DECIMAL(18, 4) * factor      AS gross_sales,
        discounts::DECIMAL(18, 4) * factor        AS discounts,
        returns::DECIMAL(18, 4) * factor          AS returns,
        adjustments::DECIMAL(18, 4) * factor      AS adjustments,
        tax::DECIMAL(18, 4) * factor              AS tax,
        shipping::DECIMAL(18, 4) * factor         AS shipping,
        net_of_orders::DECIMAL(18, 4) * factor    AS net_of_orders,
        CASE WHEN factor IS NULL THEN priced.currency || ' on ' || priced.day END AS missing_rate
    )
FROM (
    SELECT priced.*, CASE WHEN priced.currency = $convert THEN 1 ELSE factors.factor END::DECIMAL(20, 12) AS factor
    FROM priced
    LEFT JOIN factors ON factors.currency = priced.currency AND factors.day = priced.day
) AS priced
