-- Result of the model anomalies: every complete period, judged by those before it.
CREATE TABLE teal.anomalies (
    metric      VARCHAR NOT NULL,
    grain       VARCHAR NOT NULL,
    dimension   VARCHAR NOT NULL, -- none, country or channel
    value       VARCHAR, -- of the dimension
    currency    VARCHAR NOT NULL, -- as in teal.models; `all` of counts
    sensitivity VARCHAR NOT NULL,
    starts_on   DATE NOT NULL,
    actual      DOUBLE NOT NULL,
    expected    DOUBLE NOT NULL,
    lower       DOUBLE NOT NULL,
    upper       DOUBLE NOT NULL,
    score       DOUBLE NOT NULL,
    direction   INTEGER NOT NULL, -- 1 above, -1 below, 0 as expected
    is_outage   BOOLEAN NOT NULL,
    is_closed   BOOLEAN NOT NULL
)
