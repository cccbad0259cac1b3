-- Result of the model baskets: in how many orders each product is, of those that are in enough of them.
CREATE TABLE teal.basket_items (
    product_id VARCHAR NOT NULL,
    orders     BIGINT NOT NULL
)
