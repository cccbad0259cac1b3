-- The objects whose sums are in teal.usage; each is named for some days after it was deleted, so that it never counts twice.
CREATE TABLE teal.usage_folds (
    object_key VARCHAR NOT NULL,
    folded_at  TIMESTAMPTZ
)
