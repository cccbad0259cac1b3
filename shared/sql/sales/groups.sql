-- The `known` values of the asked dimension, each with the name of that product, or of that customer for who may see it.
SELECT
    value,
    coalesce(products.name, customers.name) AS label
FROM known
LEFT JOIN products ON $dimension = 'product' AND products.product_id = value
LEFT JOIN customers ON $dimension = 'customer' AND $sees_personal AND customers.customer_id = value
