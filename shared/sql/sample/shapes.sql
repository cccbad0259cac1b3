-- The quantiles of every distribution; see shared/sample/shapes.py.
CREATE TABLE shapes AS
SELECT
    unnest($shapes)  AS shape,
    unnest($slots)   AS slot,
    unnest($values)  AS value
