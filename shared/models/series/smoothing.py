"""Exponential smoothing with level, trend and season, for many settings side by side: columns of one recursion.

    additive          ŷ = l + φb + s          e = y - ŷ
    multiplicative    ŷ = (l + φb) s          e = (y - ŷ) / s for level and trend, (y - ŷ) / (l + φb) for the season
    l ← l + φb + αe        b ← φb + αβe        s ← s + γe

Hyndman, Koehler, Ord, Snyder 2008, Forecasting with Exponential Smoothing, chapter 2. A trend or a season that is not
there has zero start and zero gain, so that all forms run together; Python loops over time, numpy over columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats, Ints


@dataclass(frozen=True)
class Columns:
    """Settings and starting states, one column each, in the order of their ``ends``: the values each may see.

    ``beta`` is the share of α that the trend takes. ``season`` has a row per place in the season.
    """

    ends: Ints
    alpha: Floats
    beta: Floats
    gamma: Floats
    phi: Floats
    level: Floats
    slope: Floats
    season: Floats
    multiplicative: bool = False


@dataclass(frozen=True)
class Smoothed:
    """States where each column ended, its squared errors after ``skip`` values, and what it expected of each value.

    ``fitted`` is empty unless it was asked to be kept.
    """

    level: Floats
    slope: Floats
    season: Floats
    squares: Floats
    fitted: Floats


def smooth(values: Floats, columns: Columns, *, skip: int = 0, keep_fitted: bool = False) -> Smoothed:
    """Run over the values: one series for all columns, or one per column, (n, columns)."""
    level, slope, season = columns.level.copy(), columns.slope.copy(), columns.season.copy()
    squares = np.zeros(len(level))
    fitted = np.full((len(values) if keep_fitted else 0, len(level)), np.nan)
    beta = columns.alpha * columns.beta
    step = _multiplicative if columns.multiplicative else _additive
    begin = 0
    with np.errstate(all="ignore"):  # a setting that explodes is never chosen
        for end in np.unique(columns.ends).tolist():
            on = slice(int(np.searchsorted(columns.ends, end)), None)
            gains = (columns.alpha[on], beta[on], columns.gamma[on], columns.phi[on])
            part = _Part(gains, level[on], slope[on], season[:, on])
            for time in range(begin, end):
                expected, error = step(part, time, values[time] if values.ndim == 1 else values[time, on])
                if keep_fitted:
                    fitted[time, on] = expected
                if time >= skip:
                    squares[on] += error * error
            begin = end
    return Smoothed(level, slope, season, np.where(np.isfinite(squares), squares, np.inf), fitted)


@dataclass(frozen=True)
class _Part:
    """The columns that are not at their end: views of their states, which a step changes, and their gains."""

    gains: tuple[Floats, Floats, Floats, Floats]
    level: Floats
    slope: Floats
    season: Floats


def _additive(part: _Part, time: int, value: Floats) -> tuple[Floats, Floats]:
    alpha, beta, gamma, phi = part.gains
    season = part.season[time % len(part.season)]
    np.multiply(part.slope, phi, out=part.slope)
    np.add(part.level, part.slope, out=part.level)
    expected = part.level + season
    error = value - expected
    np.add(part.level, alpha * error, out=part.level)
    np.add(part.slope, beta * error, out=part.slope)
    np.add(season, gamma * error, out=season)
    return expected, error


def _multiplicative(part: _Part, time: int, value: Floats) -> tuple[Floats, Floats]:
    alpha, beta, gamma, phi = part.gains
    season = part.season[time % len(part.season)]
    np.multiply(part.slope, phi, out=part.slope)
    base = part.level + part.slope
    expected = base * season
    error = value - expected
    of_level = error / season
    np.add(base, alpha * of_level, out=part.level)
    np.add(part.slope, beta * of_level, out=part.slope)
    np.add(season, gamma * (error / base), out=season)
    return expected, error


def ahead(columns: Columns, end: Smoothed, column: int, horizon: int) -> Floats:
    """ŷ(T+h) = l + (φ + … + φ^h) b, with the season of its place, from where this column ended."""
    damped = np.cumsum(columns.phi[column] ** np.arange(1.0, horizon + 1))
    base = end.level[column] + damped * end.slope[column]
    place = (int(columns.ends[column]) + np.arange(horizon)) % len(end.season)
    season = end.season[place, column]
    told: Floats = base * season if columns.multiplicative else base + season
    return told


def growth(columns: Columns, column: int, horizon: int) -> Floats:
    """Standard errors over that of one step: 1 + Σ c(j)², c(j) = α (1 + β (φ + … + φ^j)) + γ in the same place.

    Hyndman, Koehler, Ord, Snyder 2008, table 6.1, class 1; for multiplicative seasons relative to their size.
    """
    step = np.arange(1, horizon)
    damped = np.cumsum(columns.phi[column] ** step.astype(np.float64))
    reach = columns.alpha[column] * (1 + columns.beta[column] * damped)
    reach = reach + columns.gamma[column] * (step % len(columns.season) == 0)
    grown: Floats = np.sqrt(np.concatenate([[1.0], 1 + np.cumsum(reach**2)]))
    return grown
