-- Every version of one published question, newest first; a removal has an empty body.
SELECT
    version,
    author,
    epoch_us(published_at) AS published_at,
    body = '' AS removed
FROM teal.questions
WHERE name = $name
ORDER BY version DESC
