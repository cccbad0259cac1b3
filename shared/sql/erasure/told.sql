-- Empties what the ledger says about files where it quotes the person: $pattern finds ids and e-mail addresses.
UPDATE lake.teal.uploads
SET
    reason = CASE WHEN regexp_matches(reason, $pattern) THEN '' ELSE reason END,
    notes = CASE WHEN regexp_matches(notes, $pattern) THEN '[]' ELSE notes END
WHERE regexp_matches(coalesce(reason, ''), $pattern) OR regexp_matches(coalesce(notes, ''), $pattern)
