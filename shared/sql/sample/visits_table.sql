-- Every order as its buyer's nth: when (a second since the start), how many lines, how many of them come back and when,
-- and whether they come back by a credit note or as lines of the order itself.
CREATE TABLE visits (
    person      INTEGER,
    visit       INTEGER,
    second      INTEGER,
    lines       INTEGER,
    cancelled   BOOLEAN,
    returned    INTEGER,
    returned_at INTEGER,
    is_noted    BOOLEAN
)
