-- Customers and products that much of net sales hangs on: one with a tenth of it or more (the major customer of IFRS 8.34), and
-- the ten largest of a hundred or more where they are half of it. Guests are in the whole, but nobody.
WITH members AS (
    SELECT 'customer' AS subject_type, customer_id AS subject, sum(net_sales) AS net, count(*) FILTER (is_order) AS orders
    FROM sold_orders
    WHERE is_now AND customer_id IS NOT NULL
    GROUP BY customer_id
    UNION ALL
    SELECT 'product' AS subject_type, product_id AS subject, net_now AS net, orders_now AS orders
    FROM sold_products
    WHERE orders_now > 0 OR net_now <> 0
),

shares AS (
    SELECT
        members.*,
        CASE WHEN subject_type = 'customer' THEN net_of_all ELSE sum(net) OVER of_type END         AS total,
        count(*) OVER of_type                                                                   AS members,
        row_number() OVER (PARTITION BY subject_type ORDER BY net DESC, subject)                AS place
    FROM members
    CROSS JOIN whole
    WINDOW of_type AS (PARTITION BY subject_type)
),

measured AS (
    SELECT
        subject_type,
        any_value(total)                                                                        AS total,
        any_value(members)                                                                      AS members,
        sum(power(greatest(net, 0) / total, 2))                                                 AS hhi,
        sum(net) FILTER (place <= 10)                                                           AS net_of_ten,
        sum(net) FILTER (place <= greatest(members // 100, 1))                                  AS net_of_hundredth,
        sum(orders) FILTER (place <= 10)                                                        AS orders_of_ten,
        list(subject ORDER BY place) FILTER (place <= 10)                                       AS ten
    FROM shares
    WHERE total > 0
    GROUP BY subject_type
),

found AS (
    SELECT
        format('{:.0f} % of net sales is one {}: {}', 100 * net / shares.total, subject_type, subject)    AS title,
        subject_type,
        [subject]                                                                               AS ids,
        net,
        orders::BIGINT                                                                          AS orders,
        measured.* EXCLUDE (subject_type),
        format(
            '{:.0f} % of net sales or more is one of {} or more', 100 * $major_share, $min_members
        )                                                                                       AS rule
    FROM shares
    INNER JOIN measured USING (subject_type)
    WHERE place <= 10 AND net >= shares.total * $major_share AND shares.members >= $min_members
    UNION ALL
    SELECT
        format(
            '{:.0f} % of net sales is ten of {:,} {}s', 100 * net_of_ten / total, members, subject_type
        )                                                                                       AS title,
        subject_type || 's'                                                                     AS subject_type,
        ten                                                                                     AS ids,
        net_of_ten                                                                              AS net,
        orders_of_ten::BIGINT                                                                   AS orders,
        * EXCLUDE (subject_type),
        '50 % of net sales or more is ten of 100 or more'                                       AS rule
    FROM measured
    WHERE net_of_ten >= total / 2 AND members >= 100
),

named AS (
    SELECT
        subject_type,
        ids,
        list(coalesce(customers.name, products.name) ORDER BY position)    AS names
    FROM (SELECT subject_type, ids, unnest(ids) AS id, generate_subscripts(ids, 1) AS position FROM found) AS single
    LEFT JOIN customers ON $sees_personal AND subject_type LIKE 'customer%' AND customers.customer_id = id
    LEFT JOIN products ON subject_type LIKE 'product%' AND products.product_id = id
    GROUP BY subject_type, ids
)

SELECT
    'dependency'                                                                                      AS kind,
    title,
    subject_type,
    ids                                                                                               AS subject_ids,
    names                                                                                             AS subject_names,
    net                                                                                               AS money_at_stake,
    MAP {'orders': orders, 'members': members}                                                        AS counts,
    MAP {'net_sales': net::DECIMAL(18, 4), 'net_sales_of_all': total::DECIMAL(18, 4)}                 AS amounts,
    MAP {
        'share': round(net / total, 6),
        'share_of_ten': round(net_of_ten / total, 6),
        'share_of_one_percent': round(net_of_hundredth / total, 6),
        'hhi': round(hhi, 6)
    }                                                                                                 AS rates,
    $window_from                                                                                      AS period_from,
    $window_to                                                                                        AS period_to,
    'net sales of those named'                                                                        AS how,
    rule                                                                                              AS threshold,
    CASE
        WHEN subject_type LIKE 'customer%' THEN '/v1/customers/top?by=net_sales'
        ELSE '/v1/products/performance?sort=net_sales'
    END || $window_money_query                                                                        AS look_further
FROM found
INNER JOIN named USING (subject_type, ids)
