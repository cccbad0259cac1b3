-- The ledger's rows under the ids that an object's version can have, and those of later versions of its key in the lake.
SELECT
    upload_id,
    bucket = $bucket AND object_key = $object_key AND object_version = $object_version AND etag = $etag
        AND (object_version <> '' OR sequence = $sequence OR sequence = '' OR $sequence = '') AS is_this_version,
    bucket = $bucket AND object_key = $object_key AND $sequence <> '' AND sequence > $sequence
        AND (status = 'loaded' OR reason_code = 'same_content') AS is_later
FROM lake.teal.uploads
WHERE upload_id IN ($upload_id, $version_id)
    OR ($sequence <> '' AND object_key = $object_key AND sequence > $sequence)
ORDER BY sequence DESC
