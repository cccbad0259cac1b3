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
    begin = 0
    with np.errstate(all="ignore"):  # a setting that explodes is never chosen
        for end in np.unique(columns.ends).tolist():
            on = slice(int(np.searchsorted(columns.ends, end)), None)
            here = values[begin:end] if values.ndim == 1 else values[begin:end, on]
            gains = (columns.alpha[on], beta[on], columns.gamma[on], columns.phi[on])
            states = (level[on], slope[on], season[:, on], squares[on])
            kept = fitted[begin:end, on] if keep_fitted else None
            step = _multiplicative if columns.multiplicative else _additive
            step(here, begin, skip, gains, states, kept)
            begin = end
    return Smoothed(level, slope, season, np.where(np.isfinite(squares), squares, np.inf), fitted)


_Gains = tuple[Floats, Floats, Floats, Floats]
_States = tuple[Floats, Floats, Floats, Floats]


def _additive(here: Floats, begin: int, skip: int, gains: _Gains, states: _States, kept: Floats | None) -> None:
    alpha, beta, gamma, phi = gains
    level, slope, season, squares = states
    error, change = np.empty_like(level), np.empty_like(level)
    for index, value in enumerate(here):
        place = season[(begin + index) % len(season)]
        np.multiply(slope, phi, out=slope)
        np.add(level, slope, out=level)
        np.add(level, place, out=error)
        if kept is not None:
            kept[index] = error
        np.subtract(value, error, out=error)
        level += np.multiply(alpha, error, out=change)
        slope += np.multiply(beta, error, out=change)
        place += np.multiply(gamma, error, out=change)
        if begin + index >= skip:
            squares += np.multiply(error, error, out=change)


def _multiplicative(here: Floats, begin: int, skip: int, gains: _Gains, states: _States, kept: Floats | None) -> None:
    alpha, beta, gamma, phi = gains
    level, slope, season, squares = states
    error, change, base = np.empty_like(level), np.empty_like(level), np.empty_like(level)
    for index, value in enumerate(here):
        place = season[(begin + index) % len(season)]
        np.multiply(slope, phi, out=slope)
        np.add(level, slope, out=base)
        np.multiply(base, place, out=error)
        if kept is not None:
            kept[index] = error
        np.subtract(value, error, out=error)
        if begin + index >= skip:
            squares += np.multiply(error, error, out=change)
        np.divide(error, place, out=change)
        np.multiply(alpha, change, out=level)
        level += base
        slope += np.multiply(beta, change, out=change)
        np.divide(error, base, out=change)
        place += np.multiply(gamma, change, out=change)


def ahead(columns: Columns, end: Smoothed, column: int, horizon: int) -> Floats:
    """ŷ(T+h) = l + (φ + … + φ^h) b, with the season of its place, from where this column ended."""
    damped = np.cumsum(columns.phi[column] ** np.arange(1.0, horizon + 1))
    base = end.level[column] + damped * end.slope[column]
    place = (int(columns.ends[column]) + np.arange(horizon)) % len(end.season)
    season = end.season[place, column]
    return base * season if columns.multiplicative else base + season


def growth(columns: Columns, column: int, horizon: int) -> Floats:
    """Standard errors over that of one step: 1 + Σ c(j)², c(j) = α (1 + β (φ + … + φ^j)) + γ in the same place.

    Hyndman, Koehler, Ord, Snyder 2008, table 6.1, class 1; for multiplicative seasons relative to their size.
    """
    step = np.arange(1, horizon)
    damped = np.cumsum(columns.phi[column] ** step.astype(np.float64))
    reach = columns.alpha[column] * (1 + columns.beta[column] * damped)
    reach = reach + columns.gamma[column] * (step % len(columns.season) == 0)
    return np.sqrt(np.concatenate([[1.0], 1 + np.cumsum(reach**2)]))
