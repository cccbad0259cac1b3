"""Chance as tables: the quantiles of a distribution, from which a random number picks one.

The rule: whole numbers of at most four digits that count, so that the last bit of a machine's exp() shows in no row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

SLOTS = 4096
"""Quantiles of a shape; a draw of twelve bits picks one."""

_STEPS = 40_000
"""Points of the grid on which a density is summed up."""


def _significant(value: float) -> int:
    """A whole number with four digits that count."""
    return round(float(f"{value:.3e}"))


def _quantiles(
    density: Callable[[float], float], value: Callable[[float], float], low: float, high: float
) -> list[int]:
    """The quantiles of what has that density between ``low`` and ``high``, each as ``value`` of it."""
    width = (high - low) / _STEPS
    places = [low + width * (step + 0.5) for step in range(_STEPS)]
    sums = list(accumulate(map(density, places)))
    found, step = [], 0
    for slot in range(SLOTS):
        wanted = sums[-1] * (slot + 0.5) / SLOTS
        while sums[step] < wanted:
            step += 1
        before = sums[step - 1] if step else 0.0
        within = (wanted - before) / (sums[step] - before) - 0.5
        found.append(_significant(value(places[step] + width * within)))
    return found


def exponential(mean: int) -> list[int]:
    """Exponential with that mean."""
    return [_significant(-mean * math.log1p(-(slot + 0.5) / SLOTS)) for slot in range(SLOTS)]


def gaps_of_gamma_rates(r: float, alpha: float) -> list[int]:
    """Mean gaps 1 / rate of rates from Gamma(``r``, ``alpha``), in the unit of ``alpha``, longest first."""
    # Over the logarithm of rate * alpha; a gap beyond e**12 times alpha is as good as never.
    return _quantiles(lambda s: math.exp(r * s - math.exp(s)), lambda s: alpha * math.exp(-max(s, -12.0)), -60.0, 4.0)


def lives_of_beta_chances(a: float, b: float, unit: int) -> list[int]:
    """Mean lives in purchases, times ``unit``: -1 / ln(1 - p) of chances p to stay away that are Beta(a, b)."""

    def density(s: float) -> float:
        # Over the logit of p: p**a * (1 - p)**b, with p = 1 / (1 + e**-s).
        return math.exp(-a * math.log1p(math.exp(-s)) - b * math.log1p(math.exp(s)))

    def life(s: float) -> float:
        # ln(1 - p) = -ln(1 + e**s). A life of ten thousand purchases is as good as endless.
        return unit * min(1 / math.log1p(math.exp(s)), 10_000.0)

    return _quantiles(density, life, -40.0, 40.0)


def lognormal(median: int, sigma: float) -> list[int]:
    """Lognormal with that median."""
    return _quantiles(lambda z: math.exp(-z * z / 2), lambda z: median * math.exp(sigma * z), -6.0, 6.0)


def weighted(weights: Sequence[int], slots: int) -> list[int]:
    """Indexes into ``weights``, each as often as its weight says; exact, and in order."""
    sums = list(accumulate(weights))
    found, index = [], 0
    for slot in range(slots):
        while sums[index] * slots <= slot * sums[-1]:
            index += 1
        found.append(index)
    return found


def popularity(count: int, power: float, shift: int, slots: int) -> list[int]:
    """Ranks from 0, each as often as Zipf's law with a shifted rank says (Mandelbrot 1953)."""
    return weighted([_significant(1e9 / (rank + shift) ** power) for rank in range(count)], slots)
