-- The newest version of every published question that was not removed, by name.
SELECT
    name,
    version,
    body,
    author,
    epoch_us(published_at) AS published_at
FROM teal.questions
QUALIFY row_number() OVER (PARTITION BY name ORDER BY version DESC) = 1 AND body <> ''
ORDER BY name
