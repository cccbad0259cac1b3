-- The orders of a period whose last change came after their month was over, as they are then, by time.
SELECT
    order_name(number, is_note)                             AS order_id,
    person_name(customer)                                   AS customer_id,
    instant(billed_at)                                      AS ordered_at,
    CASE WHEN cancelled THEN 'cancelled' ELSE 'completed' END AS status,
    country,
    channel,
    currency,
    money(discount)                                         AS discount,
    money(tax)                                              AS tax,
    money(shipping)                                         AS shipping,
    money(refunded)                                         AS refunded,
    money(net - discount + tax + shipping)                  AS total,
    instant(changed_at)                                     AS updated_at
FROM bills_now
WHERE NOT is_settled AND changed_at < $seconds
ORDER BY billed_at, number, is_note
