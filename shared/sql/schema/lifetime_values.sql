-- Result of the model lifetime: what each customer is expected to buy. Lists have an entry for each horizon that the row of
-- teal.models names.
CREATE TABLE teal.lifetime_values (
    customer_id   VARCHAR NOT NULL,
    currency      VARCHAR NOT NULL, -- as in teal.models
    first_day     DATE NOT NULL,
    last_day      DATE NOT NULL,
    purchase_days INTEGER NOT NULL,
    net_sales     DECIMAL(18, 4) NOT NULL, -- of orders with a sale, to date
    alive         DOUBLE, -- probability; NULL like all below where the model is refused
    order_value   DOUBLE, -- expected value of a purchase day; NULL where the model of values is refused
    tier          INTEGER, -- 1 the best quarter by expected revenue, to 4
    orders        DOUBLE[], -- expected purchase days
    low_80        INTEGER[],
    high_80       INTEGER[],
    low_95        INTEGER[],
    high_95       INTEGER[]
)
