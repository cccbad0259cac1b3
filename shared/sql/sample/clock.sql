-- The calendar's second at each mark of the shop's own time, and how many seconds until the next; see
-- shared/sample/clock.py.
CREATE TABLE clock AS
SELECT
    unnest(range(len($seconds)))::INTEGER AS mark,
    unnest($seconds)::INTEGER             AS second,
    unnest($lengths)::INTEGER             AS seconds
