-- Which of these objects are in the lake already.
SELECT object_key
FROM lake.teal.usage_folds
WHERE list_contains($keys, object_key)
