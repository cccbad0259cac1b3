-- What tracked visitors did in a period, by time. A visit that ends with an order sees and takes every line of it; for each
-- there are ten visits on the same day that buy nothing: three by the same person, seven by nobody known.
WITH buying AS (
    SELECT
        *,
        second % 86400                                                                       AS of_day,
        least(of_day, 600 + below(draw('time taken', person, visit), 1800))                  AS taken
    FROM bills_now
    WHERE is_tracked AND NOT is_note AND channel IN ('web', 'app')
),

looking AS (
    SELECT
        *,
        unnest(range(1, 11))::INTEGER                                                        AS look,
        least((of_day + below(draw('look at', person, visit, look), 7200)) % 86400, 85800)   AS from_second,
        1 + below(draw('seen', person, visit, look), 4)                                      AS seen,
        chance(draw('cart', person, visit, look), 300)                                       AS takes,
        takes AND chance(draw('checkout', person, visit, look), 350)                         AS checks_out
    FROM buying
),

looked AS (
    SELECT *, unnest(range(seen + takes::INTEGER + checks_out::INTEGER))::INTEGER AS step FROM looking
),

steps AS (
    SELECT
        buying.*,
        0                                                                                    AS look,
        2 * items.line_number - 2 + cart                                                     AS step,
        CASE WHEN cart = 0 THEN 'view' ELSE 'add_to_cart' END                                AS event_name,
        buying.second - taken + taken * (2 * items.line_number - 2 + cart) // (2 * lines + 2) AS moment,
        items.product
    FROM buying
    INNER JOIN items_now AS items ON items.number = buying.number AND NOT items.is_note AND items.line_number <= lines
    CROSS JOIN (VALUES (0), (1)) AS carts(cart)
    UNION ALL BY NAME
    SELECT
        *,
        0                                                                                    AS look,
        2 * lines + last                                                                     AS step,
        CASE WHEN last = 0 THEN 'checkout' ELSE 'purchase' END                               AS event_name,
        CASE WHEN last = 0 THEN second - taken // (2 * lines + 2) ELSE second END            AS moment
    FROM buying
    CROSS JOIN (VALUES (0), (1)) AS ends(last)
    UNION ALL BY NAME
    SELECT
        looked.* EXCLUDE (customer, from_second, seen, takes, checks_out),
        CASE WHEN look <= 3 THEN customer END                                                AS customer,
        CASE
            WHEN step < seen THEN 'view'
            WHEN step = seen THEN 'add_to_cart'
            ELSE 'checkout'
        END                                                                                  AS event_name,
        second - of_day + from_second + 60 * step + below(draw('pause', person, visit, look * 8 + step), 60) AS moment,
        -- What goes into the cart was seen last.
        CASE WHEN step <= seen THEN popular.product END                                      AS product
    FROM looked
    INNER JOIN popular ON popular.slot = below(
        draw('looked at', person, visit, look * 8 + least(step, seen - 1)), 65536
    )
)

SELECT
    'E' || lpad(number::VARCHAR, 9, '0') || lpad(look::VARCHAR, 2, '0') || lpad(step::VARCHAR, 2, '0') AS event_id,
    event_name,
    instant(moment)                                                                              AS occurred_at,
    person_name(customer)                                                                     AS customer_id,
    'S' || lpad(number::VARCHAR, 9, '0') || lpad(look::VARCHAR, 2, '0')                       AS session_id,
    product_name(product)                                                                     AS product_id,
    CASE WHEN event_name = 'purchase' THEN order_name(number, false) END                      AS order_id,
    CASE WHEN event_name = 'purchase' THEN money(net - discount + tax + shipping) END         AS value,
    CASE WHEN event_name = 'purchase' THEN currency END                                       AS currency,
    channel,
    country,
    CASE
        WHEN channel = 'app' OR chance(draw('device', person), 450) THEN 'mobile'
        WHEN chance(draw('tablet', person), 150) THEN 'tablet'
        ELSE 'desktop'
    END                                                                                       AS device,
    CASE WHEN product IS NULL THEN '/checkout' ELSE '/products/' || product_name(product) END AS url,
    CASE WHEN event_name = 'purchase' THEN '{"lines": ' || lines || '}' END                   AS properties
FROM steps
ORDER BY moment, number, look, step
