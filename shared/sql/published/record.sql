-- Record the next version of a published question, or, with an empty body, that it was removed.
INSERT INTO lake.teal.questions BY NAME
SELECT
    $name AS name,
    coalesce((SELECT max(version) FROM lake.teal.questions WHERE name = $name), 0) + 1 AS version,
    $body AS body,
    $author AS author,
    now() AS published_at
