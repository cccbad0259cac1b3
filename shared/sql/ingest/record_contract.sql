-- Registers a version of a contract.
INSERT INTO lake.teal.contracts BY NAME
SELECT $name AS name, $version AS version, $body AS body, $author AS author, now() AS registered_at
