-- Whether each of `trials` could be chance: of `cases` that would each be a hit with probability `share`, `hits` were. By
-- Chernoff's bound so many or more (or so few or less) have at most the probability e^(-cases × D), D the relative entropy of
-- hits / cases to share; it holds for small counts too. `chance` is that times the number of such `tests` (Bonferroni): at most
-- the probability that noise alone gives any such row. Chernoff 1952; Dunn 1961.
SELECT
    *,
    hits > cases * share                                                                               AS is_more,
    CASE WHEN hits > 0 THEN hits * ln(hits / (cases * share)) ELSE 0 END
        + CASE WHEN cases > hits THEN (cases - hits) * ln((cases - hits) / (cases * (1 - share))) ELSE 0 END AS entropy,
    least(1, tests * exp(-entropy))                                                                    AS chance
FROM trials
WHERE share > 0 AND share < 1
