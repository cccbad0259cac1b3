-- Rollup: how many customers bought on a day, and when they had bought before, as differences like sales_days: of all orders, and
-- of those of each country, channel and currency. Customers of any range of days are those who bought in it and before that not
-- since it began.
CREATE TABLE teal.customer_days (
    zone         VARCHAR NOT NULL,
    dimension    VARCHAR, -- country, channel or currency; NULL: of all orders
    value        VARCHAR,
    day          DATE NOT NULL,
    previous_day DATE, -- NULL: their first day
    customers    BIGINT NOT NULL
)
