-- Remember whose sums were added.
INSERT INTO lake.teal.usage_folds BY NAME
SELECT
    unnest($keys)::VARCHAR  AS object_key,
    $folded_at::TIMESTAMPTZ AS folded_at
