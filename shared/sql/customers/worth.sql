-- What the model expects of the customer, as customers/clv with its defaults says it.
SELECT
    alive,
    orders[$place]                                                                       AS expected_orders,
    (list_inner_product(orders[1:$place], $weights::DOUBLE[]) * order_value)::DECIMAL(18, 4)    AS lifetime_value,
    tier
FROM teal.lifetime_values
WHERE customer_id = $customer_id
    AND currency = $fit_currency
