-- The cells of `answer` with their parts of all net sales, of those of their row, and of those of their column.
SELECT
    *,
    round(net_sales / nullif(sum(net_sales) OVER (), 0), 6)::DECIMAL(18, 6)                       AS share,
    round(net_sales / nullif(sum(net_sales) OVER (PARTITION BY bucket), 0), 6)::DECIMAL(18, 6)    AS row_share,
    round(net_sales / nullif(sum(net_sales) OVER (PARTITION BY value), 0), 6)::DECIMAL(18, 6)     AS column_share
FROM answer
