-- The sessions of `chosen` that began in the range: a row each. A session is what one session_id did, or, where events name
-- none, one customer; it ends with a pause longer than $gap, that of a session_id with one of a day, and after a day.
SELECT
    make_timestamptz(began_us)                          AS began_at,
    max(CASE WHEN is_first THEN value END)              AS value,
    count(*)                                            AS events,
    max(at_us) - began_us                               AS length_us,
    bool_or(event_name = $goal)                         AS converted
FROM (
    SELECT
        *,
        -- Times only grow, so the last session's begin is the largest so far.
        max(CASE WHEN is_first THEN at_us END) OVER (PARTITION BY session_id, nobody_else ORDER BY place) AS began_us
    FROM (
        SELECT
            *,
            coalesce(at_us - lag(at_us) OVER in_order > CASE WHEN session_id IS NULL THEN $gap ELSE $day END, true) AS is_first,
            row_number() OVER in_order AS place
        FROM (
            SELECT
                session_id,
                CASE WHEN session_id IS NULL THEN customer_id END AS nobody_else,
                event_name,
                epoch_us(occurred_at) AS at_us,
                CASE $dimension
                    WHEN 'country' THEN country
                    WHEN 'device' THEN device
                    WHEN 'channel' THEN channel
                END AS value
            FROM chosen
            WHERE session_id IS NOT NULL OR customer_id IS NOT NULL
        )
        WINDOW in_order AS (PARTITION BY session_id, nobody_else ORDER BY at_us, value)
    )
)
WHERE at_us <= began_us + $day
    AND ($from_at::TIMESTAMPTZ IS NULL OR began_us >= epoch_us($from_at::TIMESTAMPTZ))
    AND ($to_at::TIMESTAMPTZ IS NULL OR began_us < epoch_us($to_at::TIMESTAMPTZ))
GROUP BY session_id, nobody_else, began_us
