-- The names of the questions that are published now; the lake is attached as `lake`.
SELECT name
FROM lake.teal.questions
QUALIFY row_number() OVER (PARTITION BY name ORDER BY version DESC) = 1 AND body <> ''
ORDER BY name
