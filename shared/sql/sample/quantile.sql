-- Which of the 4,096 quantiles of a shape a draw means.
CREATE MACRO quantile(drawn) AS below(drawn, 4096)
