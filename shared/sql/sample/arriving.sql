-- The days on which people arrive: one slot of 65,536 more for each share of them.
CREATE TABLE arriving AS
SELECT
    unnest(range(len($days)))::INTEGER AS slot,
    unnest($days)::INTEGER             AS day
