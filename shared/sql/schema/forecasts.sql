-- Result of the model forecast: the periods after the last complete one, with the accuracy of the served method on periods held
-- out beside that of the seasonal naive one.
CREATE TABLE teal.forecasts (
    metric      VARCHAR NOT NULL,
    grain       VARCHAR NOT NULL,
    dimension   VARCHAR NOT NULL, -- none, country or channel
    value       VARCHAR, -- of the dimension
    currency    VARCHAR NOT NULL, -- as in teal.models; `all` of counts
    step        INTEGER NOT NULL, -- 1 is the first period
    starts_on   DATE NOT NULL,
    expected    DOUBLE NOT NULL,
    low_80      DOUBLE NOT NULL,
    high_80     DOUBLE NOT NULL,
    low_95      DOUBLE NOT NULL,
    high_95     DOUBLE NOT NULL,
    method      VARCHAR NOT NULL,
    beats_naive BOOLEAN NOT NULL,
    mase        DOUBLE,
    wape        DOUBLE,
    naive_mase  DOUBLE,
    naive_wape  DOUBLE
)
