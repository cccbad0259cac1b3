-- Rollup: what each order adds up to, per kind of what its lines charge for (an order's own discount, tax and shipping are of
-- kind goods). Sales questions read this instead of the order lines. Cancelled orders are not in it.
CREATE TABLE teal.order_totals (
    order_id       VARCHAR NOT NULL,
    kind           VARCHAR NOT NULL,
    ordered_at     TIMESTAMPTZ NOT NULL,
    customer_id    VARCHAR,
    country        VARCHAR,
    channel        VARCHAR,
    currency       VARCHAR, -- upper case
    gross_sales    DECIMAL(18, 4) NOT NULL,
    discounts      DECIMAL(18, 4) NOT NULL,
    returns        DECIMAL(18, 4) NOT NULL,
    adjustments    DECIMAL(18, 4) NOT NULL,
    tax            DECIMAL(18, 4) NOT NULL,
    shipping       DECIMAL(18, 4) NOT NULL,
    units          BIGINT NOT NULL,
    returned_units BIGINT NOT NULL,
    is_sales       BOOLEAN NOT NULL, -- holds a sale, a return, or something of the order as a whole
    has_adjustment BOOLEAN NOT NULL,
    has_zero       BOOLEAN NOT NULL, -- a line without price or quantity
    has_sale       BOOLEAN NOT NULL, -- a sale line of this kind
    order_has_sale BOOLEAN NOT NULL, -- a sale line of any kind
    counts_order   BOOLEAN NOT NULL  -- the one row by which an order with a sale is counted
)
