-- Products by how often they are asked for: one slot of 65,536 more for each share of demand.
CREATE TABLE popular AS
SELECT
    unnest(range(len($ranks)))::INTEGER AS slot,
    unnest($ranks)::INTEGER             AS product
