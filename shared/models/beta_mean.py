"""Means over a beta distribution by the trapezoid rule in log-odds, where it converges exponentially.

Good to nine digits for any shape: tiny, huge or lopsided parameters, and functions that fall within any fraction of the
interval. This is what stands in for the hypergeometric function, whose series fails for just those.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shared.models.histories import Floats

_STEP = 0.35
_TAIL = 26.0  # e^-26 of the whole is left out
_WIDTHS = 8.0
_HEAVY = 0.3
"""Below this a density grows so steeply towards 0 that the range of log-odds would be hundreds wide."""


def beta_mean(a: float, b: float, function: Callable[[Floats], Floats]) -> Floats:
    """E[f(p)] for p ~ Beta(a, b), of a falling function that takes points of (0, 1] and gives a row of values per case.

    f may fall to a fraction of itself as early as p = 10⁻¹⁰.
    """
    points, weights = _grid(a, b)
    ends = function(np.array([np.exp(-40.0), 1.0]))
    at_zero, at_one = ends[:, :1] if a < _HEAVY else np.zeros((len(ends), 1)), ends[:, 1:]
    # A line has its exact mean. Taken away, what is left vanishes where the density does not; at 0 only if need be,
    # because f can be millions of times its mean there.
    bend = function(points) - at_zero * (1 - points) - at_one * points
    mean: Floats = (at_zero[:, 0] * b + at_one[:, 0] * a) / (a + b) + bend @ weights
    return mean


def _grid(a: float, b: float) -> tuple[Floats, Floats]:
    """Points, and weights whose sum with any function that vanishes at 1, and for small a at 0, is its mean."""
    width = min(1.0, float(np.sqrt(1 / (a + 1) + 1 / (b + 1))))
    mode = float(np.log(a + 1) - np.log(b + 1))
    low = mode - _WIDTHS * width - _TAIL / (a + 1 if a < _HEAVY else a)
    high = mode + _WIDTHS * width + _TAIL / (b + 1)
    count = int(np.ceil((high - low) / (_STEP * width))) + 1
    log_odds = np.linspace(low, high, count)
    log_p, log_q = -np.logaddexp(0.0, -log_odds), -np.logaddexp(0.0, log_odds)
    whole = (a + 1) * log_p + (b + 1) * log_q  # the density of Beta(a+1, b+1), whose sum is known
    highest = whole.max()
    share = a * b / ((a + b) * (a + b + 1))  # B(a+1, b+1) / B(a, b)
    weights = np.exp(whole - log_p - log_q - highest) * share / np.exp(whole - highest).sum()
    return np.exp(log_p), weights
