-- Result of the model baskets: in how many orders two products are together, of pairs that are in enough of them.
CREATE TABLE teal.basket_pairs (
    first_product  VARCHAR NOT NULL,
    second_product VARCHAR NOT NULL, -- the greater id
    orders         BIGINT NOT NULL
)
