-- Remembers an erased person.
INSERT INTO lake.teal.erased BY NAME
SELECT
    $person                  AS person,
    $emails                  AS emails,
    $mode                    AS mode,
    $upload_id               AS upload_id,
    $secret_check            AS secret_check,
    $snapshot_id             AS snapshot_id,
    $erased_at::TIMESTAMPTZ  AS erased_at,
    $gone_after::TIMESTAMPTZ AS gone_after,
    $searched_to             AS searched_to,
    $receipt                 AS receipt,
    $lifted_at::TIMESTAMPTZ  AS lifted_at
