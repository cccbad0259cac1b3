-- An upload with the same bytes for the same dataset that is in the lake.
SELECT upload_id, received
FROM lake.teal.uploads
WHERE content_hash = $content_hash AND dataset = $dataset AND status = 'loaded'
ORDER BY committed_at
LIMIT 1
