-- Sets the ledger to what a rollback makes of it: uploads that the snapshot knows have the status they had then, those
-- loaded since are rolled back.
UPDATE lake.teal.uploads AS uploads
SET status = wanted.status
FROM (
    SELECT
        now.upload_id,
        coalesce(former.status, 'rolled_back') AS status
    FROM lake.teal.uploads AS now
    LEFT JOIN (SELECT upload_id, status FROM lake.teal.uploads AT (VERSION => $snapshot)) AS former USING (upload_id)
    WHERE now.status IN ('loaded', 'rolled_back') AND now.status <> coalesce(former.status, 'rolled_back')
) AS wanted
WHERE uploads.upload_id = wanted.upload_id
