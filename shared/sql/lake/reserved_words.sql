-- Words that a table or a column is not called without quotes around its name.
SELECT keyword_name
FROM duckdb_keywords()
WHERE keyword_category <> 'unreserved'
ORDER BY keyword_name
