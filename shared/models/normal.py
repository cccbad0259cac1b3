"""The normal distribution, where an interval is made from a variance."""

from __future__ import annotations

from math import exp, isfinite, nan, sqrt
from statistics import NormalDist


def two_sided(level: float) -> float:
    """Standard deviations to each side that hold ``level`` of a normal distribution: 1.96 for 0.95."""
    if not 0 < level < 1:
        raise ValueError("a level lies between 0 and 1")
    return NormalDist().inv_cdf((1 + level) / 2)


def log_interval(value: float, variance: float, level: float) -> tuple[float, float] | None:
    """The interval of a positive value, from the variance of its logarithm; None when that is not a positive number."""
    reach = exp(min(two_sided(level) * sqrt(variance), 700.0)) if variance > 0 and isfinite(variance) else nan
    return (value / reach, value * reach) if isfinite(value * reach) else None
