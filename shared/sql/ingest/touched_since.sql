-- Whether a later upload was loaded into one of the datasets that this one went into.
SELECT count(*) > 0
FROM lake.teal.uploads AS loaded
JOIN lake.teal.uploads AS later ON later.committed_at > loaded.committed_at AND later.status = 'loaded'
JOIN lake.teal.quality AS went_into ON went_into.upload_id = loaded.upload_id
JOIN lake.teal.quality AS touched ON touched.upload_id = later.upload_id AND touched.dataset = went_into.dataset
WHERE loaded.upload_id = $upload_id
