-- The id of a product: goods by their rank, services after them.
CREATE MACRO product_name(product) AS 'P' || lpad((1000 + product)::VARCHAR, 5, '0')
