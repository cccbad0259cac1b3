-- The orders of a period as they were known when their month was over, by time.
SELECT
    order_name(number, is_note)                                                   AS order_id,
    person_name(customer)                                                         AS customer_id,
    instant(billed_at)                                                            AS ordered_at,
    CASE WHEN NOT is_settled THEN 'processing' WHEN cancelled THEN 'cancelled' ELSE 'completed' END AS status,
    country,
    channel,
    currency,
    money(discount)                                                               AS discount,
    money(tax)                                                                    AS tax,
    money(shipping)                                                               AS shipping,
    money(CASE WHEN is_settled THEN refunded ELSE 0 END)                          AS refunded,
    money(net - discount + tax + shipping)                                        AS total,
    instant(CASE WHEN is_settled THEN changed_at ELSE billed_at END)              AS updated_at
FROM bills_now
ORDER BY billed_at, number, is_note
