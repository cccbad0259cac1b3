-- Questions that a tenant published; the newest version of a name counts, and one without a body was removed.
CREATE TABLE teal.questions (
    name         VARCHAR NOT NULL,
    version      INTEGER NOT NULL,
    body         VARCHAR NOT NULL,
    author       VARCHAR NOT NULL,
    published_at TIMESTAMPTZ NOT NULL
)
