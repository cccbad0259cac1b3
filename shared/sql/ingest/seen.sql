-- The ledger's row of this very version of an object, if it was ever brought in.
SELECT upload_id, status
FROM lake.teal.uploads
WHERE bucket = $bucket AND object_key = $object_key AND object_version = $object_version AND etag = $etag
LIMIT 1
