-- What is in the basket of every document of a period, in cents of its currency. A set comes first; else a buyer takes one
-- of three favourites again, or what is popular, at times in the department of their taste.
CREATE OR REPLACE TEMP TABLE baskets_now AS
WITH places AS (
    SELECT *, unnest(range(lines))::INTEGER AS line FROM billed_now
),

asked AS (
    SELECT
        places.*,
        CASE
            WHEN chance(draw('by taste', person, visit, line), $taste)
                THEN popular.product - popular.product % $departments + below(draw('taste', person), $departments)
            ELSE popular.product
        END AS asked
    FROM places
    INNER JOIN popular ON popular.slot = below(
        CASE
            WHEN chance(draw('again', person, visit, line), $again)
                THEN draw('favourite', person, below(draw('which again', person, visit, line), 3))
            ELSE draw('product', person, visit, line)
        END,
        65536
    )
),

chosen AS (
    SELECT
        asked.*,
        CASE
            WHEN lines > 1 AND line = lines - 1 AND chance(draw('wrapped', person, visit), $wrapped)
                THEN $goods + below(draw('service', person, visit), 2)
            WHEN sets.product IS NOT NULL
                THEN sets.product
            WHEN second < wanted.launched
                OR (
                    wanted.season > 0
                    AND (wanted.season >> month) % 2 = 0
                    AND chance(draw('out of season', person, visit, line), 850)
                )
                THEN wanted.instead
            ELSE asked
        END AS product
    FROM asked
    INNER JOIN products AS wanted ON wanted.product = asked
    LEFT JOIN sets ON sets.set = asked.set AND sets.place = line
)

SELECT
    number,
    is_note,
    person,
    visit,
    second,
    billed_at,
    line,
    lines,
    returned,
    returned_at,
    is_noted,
    chosen.product,
    products.comes_back,
    CASE
        WHEN kind <> 'goods' THEN 1
        WHEN is_business THEN 2 + below(draw('quantity', person, visit, line), 11)
        ELSE quantities.value
    END::INTEGER AS quantity,
    CASE
        WHEN chance(draw('gift', person, visit, line), $gift) THEN 0
        ELSE list_price::BIGINT * price_level // 1000 * level // 1000 // 10 * 10 + 9
    END AS price,
    CASE
        WHEN is_campaign AND kind = 'goods' AND chance(draw('cheaper', person, visit, line), 500)
            THEN price * (10 + 10 * below(draw('how much cheaper', person, visit, line), 3)) // 100
        ELSE 0
    END AS off
FROM chosen
INNER JOIN products ON products.product = chosen.product
INNER JOIN shapes AS quantities
    ON quantities.shape = 'quantity' AND quantities.slot = quantile(draw('quantity', person, visit, line))
