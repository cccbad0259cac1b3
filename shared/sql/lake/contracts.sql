-- Every registered version of every contract of the snapshot, oldest first.
SELECT
    name,
    version,
    body
FROM teal.contracts
ORDER BY name, version
