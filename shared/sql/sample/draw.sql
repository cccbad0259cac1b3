-- A random number of 64 bits that the seed, a purpose and up to three numbers decide, on every machine and thread alike.
-- Hashed twice: one hash of several values is an exclusive or, so two purposes would differ by a constant.
CREATE MACRO draw
    (purpose, a) AS hash(hash(getvariable('seed'), purpose, a)),
    (purpose, a, b) AS hash(hash(hash(getvariable('seed'), purpose, a), b)),
    (purpose, a, b, c) AS hash(hash(hash(hash(getvariable('seed'), purpose, a), b), c))
