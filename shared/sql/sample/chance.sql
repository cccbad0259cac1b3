-- Whether something happens that does so per_mille times in a thousand.
CREATE MACRO chance(drawn, per_mille) AS below(drawn, 1000) < per_mille
