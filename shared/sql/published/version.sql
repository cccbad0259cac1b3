-- The newest version of a published question, removed or not.
SELECT max(version)
FROM lake.teal.questions
WHERE name = $name
