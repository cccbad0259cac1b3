-- Forget objects that were folded long ago and are not there any more.
DELETE FROM lake.teal.usage_folds
WHERE folded_at < $before::TIMESTAMPTZ AND NOT list_contains($listed, object_key)
