-- Uploads that are held as a whole: they may still be replayed with the options they came with.
SELECT upload_id
FROM lake.teal.uploads
WHERE status = 'held'
ORDER BY upload_id
