-- Products some of whose lines were sold far below their usual price: what those lines would have brought more at the median. By
-- the modified z-score 0.6745 × (price − median) / MAD beyond 3.5 (Iglewicz, Hoaglin 1993); where more than half of the prices
-- are equal, MAD is 0 and the mean deviation stands in for it: (price − median) / (1.253314 × mean deviation). A
-- spread that few lines show by chance is small: a price that is not $least_deviation off the median is none.
WITH priced AS (
    SELECT product_id, units, round(gross_sales / units, 4)::DECIMAL(18, 4) AS price
    FROM sold_lines
    WHERE is_now AND is_sale AND units > 0
),

usual AS (
    SELECT product_id, median(price)::DECIMAL(18, 4) AS usual_price, count(*) AS lines
    FROM priced
    GROUP BY product_id
    HAVING count(*) >= $min_orders AND min(price) < max(price)
),

spread AS (
    SELECT
        product_id,
        median(abs(price - usual_price))::DOUBLE / 0.6745    AS mad,
        avg(abs(price - usual_price)) * 1.253314             AS mean_deviation
    FROM priced
    INNER JOIN usual USING (product_id)
    GROUP BY product_id
),

outliers AS (
    SELECT
        product_id,
        any_value(usual_price)                                                              AS usual_price,
        any_value(lines)                                                                    AS lines,
        count(*) FILTER (price < usual_price)                                               AS below,
        count(*) FILTER (price > usual_price)                                               AS above,
        sum((usual_price - price) * units) FILTER (price < usual_price)                     AS lost,
        sum(units) FILTER (price < usual_price)                                             AS units_below,
        min(price)                                                                          AS lowest_price,
        min((price - usual_price) / CASE WHEN mad > 0 THEN mad ELSE mean_deviation END)     AS lowest_score
    FROM priced
    INNER JOIN usual USING (product_id)
    INNER JOIN spread USING (product_id)
    WHERE abs(price - usual_price) > 3.5 * CASE WHEN mad > 0 THEN mad ELSE mean_deviation END
        AND abs(price - usual_price) >= usual_price * $least_deviation
    GROUP BY product_id
)

SELECT
    'price_outlier'                                                                                   AS kind,
    format(
        '{}: {:,} of {:,} lines sold far below the usual {:,.2f}{}, down to {:,.2f}{}',
        coalesce(name, product_id), below, lines, usual_price, unit, lowest_price, unit
    )                                                                                                 AS title,
    'product'                                                                                         AS subject_type,
    [product_id]                                                                                      AS subject_ids,
    [name]                                                                                            AS subject_names,
    lost                                                                                              AS money_at_stake,
    MAP {'lines': lines, 'lines_below': below, 'lines_above': above, 'units_below': units_below::BIGINT} AS counts,
    MAP {'median_price': usual_price, 'lowest_price': lowest_price}                                   AS amounts,
    MAP {'lowest_score': round(lowest_score, 6)}                                                      AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'Σ (median price − price) × quantity of the lines far below the median, before discounts'         AS how,
    format(
        'modified z-score beyond 3.5 and {:.0f} % off the median; {} lines or more', 100 * $least_deviation, $min_orders
    )                                                                                                 AS threshold,
    '/v1/products/detail?product=' || url_encode(product_id) || $window_money_query                   AS look_further
FROM outliers
CROSS JOIN whole
LEFT JOIN products USING (product_id)
WHERE below > 0
