-- What became of each version of an inbox object: whether all of it is in the lake, or was there already.
SELECT
    object_key,
    object_version,
    etag,
    upload_id,
    status,
    (status = 'loaded' AND coalesce(held, 0) = 0) OR status = 'skipped' AS is_spent
FROM lake.teal.uploads
ORDER BY committed_at
