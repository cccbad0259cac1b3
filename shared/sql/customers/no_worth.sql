-- Where no model is served there is nothing to expect.
SELECT
    NULL::DOUBLE            AS alive,
    NULL::DOUBLE            AS expected_orders,
    NULL::DECIMAL(18, 4)    AS lifetime_value,
    NULL::INTEGER           AS tier
