-- The ledger's rows of this very version of an object, if it was ever brought in, and of the id it would like to have.
SELECT
    upload_id,
    bucket = $bucket AND object_key = $object_key AND object_version = $object_version AND etag = $etag AS is_this_version
FROM lake.teal.uploads
WHERE upload_id = $upload_id
    OR (bucket = $bucket AND object_key = $object_key AND object_version = $object_version AND etag = $etag)
