"""The methods that everything else has to beat: naive, seasonal naive, mean, drift.

Hyndman, Athanasopoulos, Forecasting: Principles and Practice, 2nd edition, sections 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shared.models.histories import Floats
from shared.models.series.past import Past, Projection, Projections, season_ahead


def simple(past: Past) -> Projections:
    """naive, drift, mean, seasonal_naive."""
    methods: dict[str, Callable[[Floats, int, int], Projection]] = {
        "naive": naive,
        "drift": drift,
        "mean": mean,
        "seasonal_naive": seasonal_naive,
    }
    return {
        name: [method(past.known(origin), past.season, past.horizon) for origin in past.origins]
        for name, method in methods.items()
    }


def naive(known: Floats, _season: int, horizon: int) -> Projection:
    """ŷ(T+h) = y(T)."""
    return seasonal_naive(known, 1, horizon)


def seasonal_naive(known: Floats, season: int, horizon: int) -> Projection:
    """ŷ(T+h) = y(T+h-m), the last one known of its place in the season; the variance grows by one per season."""
    step = np.arange(horizon)
    last = known[-season:]
    fitted = np.full(len(known), np.nan)
    fitted[season:] = known[:-season]
    point = last[step % season] if len(last) == season else season_ahead(known, len(known), horizon)
    return Projection(point, np.sqrt(1.0 + step // season), fitted)


def mean(known: Floats, _season: int, horizon: int) -> Projection:
    """ŷ(T+h) = the mean of all so far; fitted are those of the values before each."""
    before = np.full(len(known), np.nan)
    before[1:] = np.cumsum(known)[:-1] / np.arange(1, len(known))
    return Projection(np.full(horizon, known.mean()), np.ones(horizon), before, 1)


def drift(known: Floats, _season: int, horizon: int) -> Projection:
    """ŷ(T+h) = y(T) + h (y(T) - y(1)) / (T-1); the variance of h steps is h (1 + h/(T-1)) times that of one."""
    count = max(len(known) - 1, 1)
    slope = (known[-1] - known[0]) / count
    step = np.arange(1.0, horizon + 1)
    fitted = np.full(len(known), np.nan)
    fitted[1:] = known[:-1] + slope
    growth = np.sqrt(step * (1 + step / count) / (1 + 1 / count))
    return Projection(known[-1] + slope * step, growth, fitted, 1)
