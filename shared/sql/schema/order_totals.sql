-- Rollup: what each order adds up to, per type and kind of its lines. Rows of line_type 'order' hold what belongs to the
-- order as a whole (its own discount, tax and shipping). Sales questions read this instead of the order lines.
CREATE TABLE teal.order_totals (
    order_id    VARCHAR NOT NULL,
    line_type   VARCHAR NOT NULL,
    kind        VARCHAR NOT NULL,
    ordered_at  TIMESTAMPTZ NOT NULL,
    customer_id VARCHAR,
    country     VARCHAR,
    channel     VARCHAR,
    currency    VARCHAR,
    status      VARCHAR,
    lines       BIGINT NOT NULL,
    units       BIGINT NOT NULL,
    amount      DECIMAL(18, 4) NOT NULL,
    discount    DECIMAL(18, 4) NOT NULL,
    tax         DECIMAL(18, 4) NOT NULL,
    shipping    DECIMAL(18, 4) NOT NULL
)
