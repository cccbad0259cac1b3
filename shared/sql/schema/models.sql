-- What was fitted to which snapshot, by the schedule: a row per model and currency. What it says of whom is in the table that
-- its statement under fitted/ names.
CREATE TABLE teal.models (
    model     VARCHAR NOT NULL,
    currency  VARCHAR NOT NULL, -- upper case; `none`: of amounts that name none, or of none
    status    VARCHAR NOT NULL, -- served, or refused for the reason
    reason    VARCHAR NOT NULL,
    snapshot  BIGINT NOT NULL,
    fitted_at TIMESTAMPTZ NOT NULL,
    version   INTEGER NOT NULL, -- of the code: another one is fitted anew
    facts     VARCHAR NOT NULL  -- JSON: parameters, likelihood, backtest
)
