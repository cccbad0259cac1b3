-- Every version of every registered contract, oldest first.
SELECT name, version, body
FROM lake.teal.contracts
ORDER BY name, version
