-- What was asked in the hours that begin in the range, as far as it is chosen.
SELECT
    *,
    CASE $by
        WHEN 'question' THEN question
        WHEN 'status' THEN status
        WHEN 'key' THEN key_id
        WHEN 'format' THEN format
    END AS asked
FROM teal.usage
WHERE ($from_at::TIMESTAMPTZ IS NULL OR hour >= $from_at)
    AND ($to_at::TIMESTAMPTZ IS NULL OR hour < $to_at)
    AND ($question::VARCHAR[] IS NULL OR list_contains($question, question))
    AND ($key::VARCHAR[] IS NULL OR list_contains($key, key_id))
