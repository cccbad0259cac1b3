-- Rollup: what each customer bought by currency, and when; guests are nobody's. Orders are those with a sale line.
CREATE TABLE teal.customer_totals (
    customer_id      VARCHAR NOT NULL,
    currency         VARCHAR, -- upper case
    first_at         TIMESTAMPTZ, -- NULL: only returns or adjustments
    last_at          TIMESTAMPTZ,
    orders           BIGINT NOT NULL,
    gross_sales      DECIMAL(18, 4) NOT NULL,
    discounts        DECIMAL(18, 4) NOT NULL,
    returns          DECIMAL(18, 4) NOT NULL,
    adjustments      DECIMAL(18, 4) NOT NULL,
    units            BIGINT NOT NULL,
    returned_units   BIGINT NOT NULL,
    with_sales       BIGINT NOT NULL, -- rows of order_totals by what they hold
    with_adjustments BIGINT NOT NULL,
    with_zeros       BIGINT NOT NULL
)
