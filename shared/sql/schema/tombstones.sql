-- Keys that were deleted with a time, so that an older version of the row that arrives later stays deleted.
CREATE TABLE teal.tombstones (
    dataset    VARCHAR NOT NULL,
    row_key    VARCHAR NOT NULL,
    deleted_at TIMESTAMPTZ NOT NULL
)
