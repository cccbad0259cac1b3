-- Contracts that a tenant registered or that were inferred; the newest version of a name counts.
CREATE TABLE teal.contracts (
    name          VARCHAR NOT NULL,
    version       INTEGER NOT NULL,
    body          VARCHAR NOT NULL,
    author        VARCHAR,
    registered_at TIMESTAMPTZ
)
