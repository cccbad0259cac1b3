-- Every person that was erased, oldest first; one whose `lifted_at` is set may come in again.
SELECT
    person,
    emails,
    mode,
    upload_id,
    secret_check,
    snapshot_id,
    erased_at,
    gone_after,
    searched_to,
    receipt,
    lifted_at
FROM lake.teal.erased
ORDER BY erased_at, person
