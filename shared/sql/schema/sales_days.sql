-- Rollup: what each day's orders add up to by country, channel and currency, as differences: each commit adds what it changed,
-- and readers add up. A day is one of the installation's time zone when the rows were written. Customers of several days cannot
-- be added up, but those whose first day of a week, month, quarter or year it was can; they are in rows of their own, beside no
-- country, channel or currency.
CREATE TABLE teal.sales_days (
    zone                 VARCHAR NOT NULL,
    day                  DATE NOT NULL,
    country              VARCHAR,
    channel              VARCHAR,
    currency             VARCHAR, -- upper case
    gross_sales          DECIMAL(18, 4) NOT NULL,
    discounts            DECIMAL(18, 4) NOT NULL,
    returns              DECIMAL(18, 4) NOT NULL,
    adjustments          DECIMAL(18, 4) NOT NULL,
    tax                  DECIMAL(18, 4) NOT NULL,
    shipping             DECIMAL(18, 4) NOT NULL,
    net_of_orders        DECIMAL(18, 4) NOT NULL, -- net sales of orders with a sale line
    units                BIGINT NOT NULL,
    returned_units       BIGINT NOT NULL,
    orders               BIGINT NOT NULL, -- with a sale line
    with_sales           BIGINT NOT NULL, -- rows of order_totals by what they hold
    with_adjustments     BIGINT NOT NULL,
    with_zeros           BIGINT NOT NULL,
    customers_of_day     BIGINT NOT NULL,
    customers_of_week    BIGINT NOT NULL,
    customers_of_month   BIGINT NOT NULL,
    customers_of_quarter BIGINT NOT NULL,
    customers_of_year    BIGINT NOT NULL
)
