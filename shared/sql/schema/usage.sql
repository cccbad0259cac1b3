-- What was asked over HTTP, added up by UTC hour; a row per key, question, class of status, format and bucket of time taken.
-- Rows of several folds may be alike in all of these: they are added up. Latency bucket n holds what took up to 2^(n/4) ms.
CREATE TABLE teal.usage (
    hour           TIMESTAMPTZ NOT NULL,
    question       VARCHAR NOT NULL,
    key_id         VARCHAR NOT NULL,
    status         VARCHAR NOT NULL,
    format         VARCHAR NOT NULL,
    latency_bucket INTEGER NOT NULL,
    requests       BIGINT,
    from_cache     BIGINT,
    not_modified   BIGINT,
    microseconds   BIGINT,
    bytes_sent     BIGINT,
    bytes_read     BIGINT,
    picodollars    BIGINT,
    folded_at      TIMESTAMPTZ
)
