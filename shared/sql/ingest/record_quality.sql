-- Writes what was measured of one dataset of an upload.
INSERT INTO lake.teal.quality BY NAME
SELECT
    $upload_id          AS upload_id,
    $dataset            AS dataset,
    $contract_version   AS contract_version,
    $received           AS received,
    $accepted           AS accepted,
    $held               AS held,
    $duplicate          AS duplicate,
    $missing_references AS missing_references,
    $newest_at          AS newest_at,
    $measures           AS measures,
    now()               AS measured_at
