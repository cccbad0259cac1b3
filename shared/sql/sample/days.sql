-- Every day from the start: its month, when that month is over (as a second), what prices are in thousandths of those
-- at the start, and whether it is a campaign's.
CREATE TABLE days AS
SELECT
    unnest(range(len($months)))::INTEGER AS day,
    unnest($months)::INTEGER             AS month,
    unnest($closes)::INTEGER             AS closes,
    unnest($prices)::INTEGER             AS price,
    unnest($campaigns)                   AS is_campaign
