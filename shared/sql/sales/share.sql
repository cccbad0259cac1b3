-- The sales of each row of `answer` with its part of all net sales, of all rows and not only of a page.
SELECT
    *,
    round(net_sales / nullif(sum(net_sales) OVER (), 0), 6)::DECIMAL(18, 6) AS share
FROM answer
