-- The instant of a second since the start.
CREATE MACRO instant(second) AS to_timestamp(getvariable('start') + second)
