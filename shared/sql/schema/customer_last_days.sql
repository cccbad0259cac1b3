-- Rollup: when each customer last bought in each country, through each channel and in each currency. By it the day before is
-- known of a customer who comes back, without looking at the orders.
CREATE TABLE teal.customer_last_days (
    customer_id VARCHAR NOT NULL,
    country     VARCHAR,
    channel     VARCHAR,
    currency    VARCHAR, -- upper case
    last_at     TIMESTAMPTZ NOT NULL
)
