-- The ledger's rows under the ids that an object's version can have; which of them is about this very version.
SELECT
    upload_id,
    bucket = $bucket AND object_key = $object_key AND object_version = $object_version AND etag = $etag AS is_this_version
FROM lake.teal.uploads
WHERE upload_id IN ($upload_id, $version_id)
