"""The Theta method (Assimakopoulos, Nikolopoulos 2000), as simple exponential smoothing with drift.

    ŷ(T+h) = l(T) + b/2 (h - 1 + (1 - (1-α)^T) / α),   b the slope of the line through all values

Hyndman, Billah 2003, equation (12). Applied to values without their season, which is put back after.
"""

from __future__ import annotations

import numpy as np

from shared.models.histories import Floats
from shared.models.series.levels import smoothed_levels
from shared.models.series.past import Past, Projection, Projections, season_ahead, seasonal_pattern


def theta(past: Past) -> Projections:
    """theta; the season is a ratio where all values are positive, else a difference."""
    multiplicative = bool(past.values.min() > 0)
    patterns = [
        seasonal_pattern(past.known(origin), past.season, multiplicative=multiplicative) for origin in past.origins
    ]
    around = np.array([np.resize(pattern, len(past.values)) for pattern in patterns])
    adjusted = past.values / around if multiplicative else past.values - around
    skip = min(past.season, past.origins[0] // 2)
    best = smoothed_levels(np.ascontiguousarray(adjusted.T), np.asarray(past.origins), skip)
    found = []
    for index, origin in enumerate(past.origins):
        level, alpha, before = best.level[index], best.alpha[index], best.fitted[:origin, index]
        slope = _slope(adjusted[index, :origin])
        step = np.arange(past.horizon)
        point = level + slope / 2 * (step + (1 - (1 - alpha) ** origin) / alpha)
        fitted = before + slope / 2 * (1 - (1 - alpha) ** np.arange(origin)) / alpha
        fitted[:skip] = np.nan
        pattern, so_far = season_ahead(patterns[index], origin, past.horizon), around[index, :origin]
        found.append(
            Projection(
                point * pattern if multiplicative else point + pattern,
                np.sqrt(1 + step * alpha**2),
                fitted * so_far if multiplicative else fitted + so_far,
                past.season + 2,
            )
        )
    return {"theta": found}


def _slope(values: Floats) -> float:
    time = np.arange(float(len(values)))
    time -= time.mean()
    return float(time @ values / (time @ time))
