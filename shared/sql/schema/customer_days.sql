-- Rollup: how many customers bought on a day, and when they had bought before, as differences like sales_days. Customers of any
-- range of days are those who bought in it and before that not since it began.
CREATE TABLE teal.customer_days (
    zone         VARCHAR NOT NULL,
    day          DATE NOT NULL,
    previous_day DATE, -- NULL: their first day
    customers    BIGINT NOT NULL
)
