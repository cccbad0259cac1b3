-- The sales metrics of each bucket and value of `sums`. AOV is net sales of the orders with a sale, per such order.
-- The last columns tell whether the amounts may be added up: lowest and highest currency, and a missing exchange rate.
SELECT
    bucket,
    value,
    gross_sales::DECIMAL(18, 4)                                                              AS gross_sales,
    discounts::DECIMAL(18, 4)                                                                AS discounts,
    returns::DECIMAL(18, 4)                                                                  AS returns,
    adjustments::DECIMAL(18, 4)                                                              AS adjustments,
    (gross_sales - discounts + returns + adjustments)::DECIMAL(18, 4)                        AS net_sales,
    tax::DECIMAL(18, 4)                                                                      AS tax,
    shipping::DECIMAL(18, 4)                                                                 AS shipping,
    (gross_sales - discounts + returns + adjustments + tax + shipping)::DECIMAL(18, 4)       AS total_sales,
    orders,
    customers,
    units::BIGINT                                                                            AS units,
    returned_units::BIGINT                                                                   AS returned_units,
    -- Half up by whole numbers: a division of decimals is one of doubles, which miss some halves.
    CASE
        WHEN orders > 0
            THEN sign(net_of_orders) * 0.0001
                * (((abs(net_of_orders::DECIMAL(24, 4)) * 20000)::HUGEINT + orders) // (2 * orders))::DECIMAL(20, 0)
    END::DECIMAL(18, 4)                                                                      AS aov,
    lowest_currency,
    highest_currency,
    missing_rate
FROM sums
