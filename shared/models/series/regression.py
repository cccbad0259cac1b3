"""Regression on the calendar: a line, the season, and waves of slow cycles; and two ways on for what is left.

    y(t) = a + b t + season(t mod m) + Σ waves(t) + r(t)
    calendar_regression        r goes on at its smoothed level
    calendar_autoregression    r fades: r(T+h) = φ^h r(T)

The season is one value per place, waves when it is long; slow cycles (a year of days) are waves. Small ridge penalties
keep what few values say from being believed. Of positive values all is done with logarithms as well.
Harvey, Shephard 1993 (structural models); Hyndman, Athanasopoulos, section 9.5 (dynamic harmonic regression).
"""

from __future__ import annotations

import numpy as np

from shared.models.histories import Floats
from shared.models.series.levels import smoothed_levels
from shared.models.series.past import Past, Projection, Projections

_PLACES = 30
"""A season up to this long has a value per place, a longer one if it is seen often enough."""
_SEEN = 4
_WAVES = 6
_RIDGE_LINE, _RIDGE_PLACE, _RIDGE_WAVE = 1.0, 0.5, 2.0
"""Values' worth of evidence that there is none."""
_MOST_PERSISTENT = 0.99
_SLOPE_OF_WALK = 1.2
"""n times the variance of the least-squares slope through a random walk of n unit steps."""


def regression(past: Past) -> Projections:
    """Both ways on, and with _log those of positive values' logarithms."""
    values = past.values[:, None]
    if past.values.min() > 0:
        values = np.column_stack([past.values, np.log(past.values)])
    columns, penalty = _design(past)
    lines = _lines(past, columns, penalty, values)
    found = {}
    for index, name in enumerate(("", "_log")[: values.shape[1]]):
        parts = _Parts(past, values[: past.origins[-1], index], lines[:, :, index], len(penalty) + 1)
        for way, projections in (("regression", _levelled(parts)), ("autoregression", _fading(parts))):
            found[f"calendar_{way}{name}"] = [_exp(one) for one in projections] if name else projections
    return found


class _Parts:
    """The lines by origin and time, and what is left of the values, NaN from the origin on."""

    def __init__(self, past: Past, values: Floats, lines: Floats, parameters: int) -> None:
        self.past, self.lines, self.parameters = past, lines, parameters
        self.left = values - lines[:, : len(values)]
        self.skip = min(past.season, past.origins[0] // 2)

    def projection(self, index: int, left: Floats, growth: Floats, expected: Floats) -> Projection:
        """The line with what goes on of the rest, and with what was expected of it so far."""
        origin = self.past.origins[index]
        fitted = self.lines[index, :origin] + expected[:origin]
        fitted[: self.skip] = np.nan
        point = self.lines[index, origin : origin + self.past.horizon] + left
        return Projection(point, growth, fitted, self.parameters)


def _levelled(parts: _Parts) -> list[Projection]:
    best = smoothed_levels(np.ascontiguousarray(parts.left.T), np.asarray(parts.past.origins), parts.skip)
    step = np.arange(1.0, parts.past.horizon + 1)
    found = []
    for index, origin in enumerate(parts.past.origins):
        alpha = best.alpha[index]
        growth = np.sqrt(1 + alpha**2 * (step - 1 + _SLOPE_OF_WALK * step**2 / origin))
        found.append(parts.projection(index, best.level[index], growth, best.fitted[:, index]))
    return found


def _fading(parts: _Parts) -> list[Projection]:
    found = []
    step = np.arange(1.0, parts.past.horizon + 1)
    for index, origin in enumerate(parts.past.origins):
        left = parts.left[index, :origin]
        squares = float(left[:-1] @ left[:-1])
        phi = float(left[1:] @ left[:-1]) / squares if squares > 0 else 0.0
        # Around a fitted line φ comes out too small: Marriott, Pope 1954.
        phi = float(np.clip(phi + (2 + 4 * phi) / origin, 0.0, _MOST_PERSISTENT)) if squares > 0 else 0.0
        fades = np.cumsum(phi ** (2 * (step - 1)))
        # Variance of the fitted line at step h, of values that are worth n (1-φ)/(1+φ) independent ones.
        line = (1 + 3 * (1 + 2 * step / origin) ** 2) * (1 + phi) / (1 - phi) / (1 - phi**2) / origin
        expected = phi * np.concatenate([[0.0], left[:-1]])
        growth = np.sqrt(fades + np.minimum(line * phi, 1.2 * step**2 / origin))
        found.append(parts.projection(index, phi**step * left[-1], growth, expected))
    return found


def _exp(one: Projection) -> Projection:
    point, fitted = (np.exp(np.minimum(part, 700.0)) for part in (one.point, one.fitted))
    return Projection(point, one.growth, fitted, one.parameters)


def _design(past: Past) -> tuple[Floats, Floats]:
    """Columns for all times until the last horizon, and the penalty of each; the same at all origins."""
    first, season = past.origins[0], past.season
    time = np.arange(past.origins[-1] + past.horizon, dtype=np.float64)
    columns = [np.ones(len(time)), 2 * time / past.origins[-1] - 1]
    penalty = [1e-9, _RIDGE_LINE]
    cycles = [cycle for cycle in past.slow if first >= 2 * cycle]
    if season > 1 and (season <= _PLACES or first >= _SEEN * season):
        columns += list((time % season == np.arange(season)[:, None]).astype(np.float64))
        penalty += [_RIDGE_PLACE] * season
    elif season > 1:
        cycles.append(season)
    for cycle in cycles:
        for wave in range(1, min(_WAVES, int(cycle) // 2) + 1):
            angle = 2 * np.pi * wave * time / cycle
            columns += [np.sin(angle), np.cos(angle)]
            penalty += [_RIDGE_WAVE] * 2
    return np.stack(columns, axis=1), np.array(penalty)


def _lines(past: Past, columns: Floats, penalty: Floats, values: Floats) -> Floats:
    """By origin, time and column of values, the regression's; from one origin to the next its sums are added to."""
    sums, products = np.diag(penalty), np.zeros((len(penalty), values.shape[1]))
    lines = np.empty((len(past.origins), len(columns), values.shape[1]))
    begin = 0
    for index, origin in enumerate(past.origins):
        new = columns[begin:origin]
        sums, products = sums + new.T @ new, products + new.T @ values[begin:origin]
        lines[index] = columns @ np.linalg.solve(sums, products)
        begin = origin
    return lines
