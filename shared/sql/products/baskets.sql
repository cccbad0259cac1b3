-- The orders of `held`, numbered, with how many products each holds.
SELECT
    order_id,
    row_number() OVER ()::INTEGER    AS basket,
    count(*)                         AS size
FROM held
GROUP BY order_id
