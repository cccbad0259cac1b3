-- The last upload of the same bytes for the same inbox folder that is in the lake.
SELECT upload_id, received
FROM lake.teal.uploads
WHERE content_hash = $content_hash AND dataset = $dataset AND status = 'loaded'
ORDER BY committed_at DESC
LIMIT 1
