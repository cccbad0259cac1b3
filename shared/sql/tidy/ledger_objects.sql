-- Every version of an inbox object that the ledger knows.
SELECT DISTINCT
    object_key,
    object_version,
    etag
FROM lake.teal.uploads
ORDER BY ALL
