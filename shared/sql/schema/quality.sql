-- What was measured of each dataset of each upload; `measures` is JSON by column: missing, invalid, distinct rules.
CREATE TABLE teal.quality (
    upload_id          VARCHAR NOT NULL,
    dataset            VARCHAR NOT NULL,
    contract_version   INTEGER,
    received           BIGINT,
    accepted           BIGINT,
    held               BIGINT,
    duplicate          BIGINT,
    missing_references BIGINT,
    newest_at          TIMESTAMPTZ,
    measures           VARCHAR,
    measured_at        TIMESTAMPTZ
)
