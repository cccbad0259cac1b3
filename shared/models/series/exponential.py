"""Exponential smoothing fitted: of each form the settings with the least squared one-step errors, at every origin.

A coarse grid of settings runs first, then finer ones around the best of each; both are columns of one recursion, so the
refits for a rolling hold-out cost no more Python than a single fit. Starting states come from a decomposition of what
is known at the origin. The last fits run once more to keep what they expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from shared.models.histories import Floats, Ints
from shared.models.series.past import Past, Projection, Projections, seasonal_pattern
from shared.models.series.smoothing import Columns, Smoothed, ahead, growth, smooth


@dataclass(frozen=True)
class Form:
    """Which parts a smoothing has."""

    trend: bool = False
    damped: bool = False
    season: bool = False
    multiplicative: bool = False


FORMS: Mapping[str, Form] = {
    "exponential_smoothing": Form(),
    "holt": Form(trend=True),
    "damped_trend": Form(trend=True, damped=True),
    "seasonal_smoothing": Form(season=True),
    "holt_winters": Form(trend=True, season=True),
    "holt_winters_damped": Form(trend=True, damped=True, season=True),
    "seasonal_smoothing_multiplicative": Form(season=True, multiplicative=True),
    "holt_winters_multiplicative": Form(trend=True, season=True, multiplicative=True),
    "holt_winters_damped_multiplicative": Form(trend=True, damped=True, season=True, multiplicative=True),
}
_ALPHA = (0.02, 0.08, 0.2, 0.4, 0.65, 0.9)
_BETA = (0.01, 0.08, 0.3)
_GAMMA = (0.001, 0.05, 0.15, 0.4)
"""As a share of 1 - α, its upper limit."""
_PHI = (0.85, 0.95)
_FINER = (1.0, 0.5)
"""Steps in log-odds around the best, one round each."""
_LEAST, _MOST = 1e-4, 1 - 1e-4
_PHI_LEAST, _PHI_MOST = 0.8, 0.98
"""Hyndman, Athanasopoulos, section 7.2: below, a trend is none; above, it is not damped."""


def exponential(past: Past) -> Projections:
    """All forms that fit these values: no seasonal ones without a season, multiplicative ones of positive values."""
    found: dict[str, list[Projection]] = {}
    for multiplicative in (False, True):
        forms = {
            name: form
            for name, form in FORMS.items()
            if form.multiplicative == multiplicative and (past.season > 1 or not form.season)
        }
        if forms and (not multiplicative or past.values.min() > 0):
            found |= _fitted(past, forms, multiplicative=multiplicative)
    return found


@dataclass(frozen=True)
class _Settings:
    """Rows of α, β, γ, φ; γ as a share of 1 - α."""

    rows: Floats
    form: Ints
    origin: Ints


def _fitted(past: Past, forms: Mapping[str, Form], *, multiplicative: bool) -> dict[str, list[Projection]]:
    starts = [_start(past, origin, multiplicative=multiplicative) for origin in past.origins]
    kinds = list(forms.values())
    skip = min(past.season, past.origins[0] // 2)
    best = _best(past, starts, kinds, _grid(kinds, len(past.origins)), skip)
    for step in _FINER:
        best = _best(past, starts, kinds, _around(best, kinds, step), skip)
    columns = _columns(past, starts, kinds, best)
    end = smooth(past.values, columns, skip=skip, keep_fitted=True)
    found: dict[str, list[Projection]] = {name: [] for name in forms}
    for column, form in enumerate(best.form):
        parts = kinds[form]
        parameters = 2 + 2 * parts.trend + parts.damped + past.season * parts.season
        found[list(forms)[form]].append(_projection(columns, end, column, past.horizon, skip, parameters))
    return found


def _projection(columns: Columns, end: Smoothed, column: int, horizon: int, skip: int, parameters: int) -> Projection:
    assert end.fitted is not None  # it was asked for
    fitted = end.fitted[: columns.ends[column], column].copy()
    fitted[:skip] = np.nan
    return Projection(ahead(columns, end, column, horizon), growth(columns, column, horizon), fitted, parameters)


def _start(past: Past, origin: int, *, multiplicative: bool) -> tuple[float, float, float, Floats]:
    """Mean level, level and slope of a line, seasonal pattern, before the first value."""
    known, season = past.known(origin), past.season
    pattern = seasonal_pattern(known, season, multiplicative=multiplicative)
    first = known[: max(2 * season, 10)]
    around = np.resize(pattern, len(first))
    first = first / around if multiplicative else first - around
    time = np.arange(1.0, len(first) + 1)
    away = time - time.mean()
    slope = float(away @ first / (away @ away)) if len(first) > 2 else 0.0
    mean = float(first[: max(season, 5)].mean())
    return mean, float(first.mean() - slope * time.mean()), slope, pattern


def _grid(kinds: Sequence[Form], origins: int) -> _Settings:
    rows, forms = [], []
    for index, form in enumerate(kinds):
        beta = _BETA if form.trend else (0.0,)
        gamma = _GAMMA if form.season else (0.0,)
        phi = _PHI if form.damped else (1.0,)
        made = list(product(_ALPHA, beta, gamma, phi))
        rows += made
        forms += [index] * len(made)
    count = len(rows)
    return _Settings(np.tile(rows, (origins, 1)), np.tile(forms, origins), np.repeat(np.arange(origins), count))


def _around(best: _Settings, kinds: Sequence[Form], step: float) -> _Settings:
    rows, forms, origins = [], [], []
    for row, form, origin in zip(best.rows, best.form, best.origin, strict=True):
        parts = kinds[form]
        free = (True, parts.trend, parts.season, parts.damped)
        for moves in product(*((-step, 0.0, step) if one else (0.0,) for one in free)):
            rows.append([_moved(value, move) for value, move in zip(row, moves, strict=True)])
            forms.append(form)
            origins.append(origin)
    made = np.array(rows)
    damped = made[:, 3] < 1
    made[damped, 3] = np.clip(made[damped, 3], _PHI_LEAST, _PHI_MOST)
    return _Settings(made, np.array(forms), np.array(origins))


def _moved(value: float, by: float) -> float:
    if by == 0:
        return float(value)
    odds = np.log(value / (1 - value)) + by
    return float(np.clip(1 / (1 + np.exp(-odds)), _LEAST, _MOST))


def _best(
    past: Past,
    starts: Sequence[tuple[float, float, float, Floats]],
    kinds: Sequence[Form],
    settings: _Settings,
    skip: int,
) -> _Settings:
    """Of each form and origin the settings with the least squares, by origin, then form."""
    squares = smooth(past.values, _columns(past, starts, kinds, settings), skip=skip).squares
    group = settings.origin * len(kinds) + settings.form
    order = np.lexsort((squares, group))
    first = order[np.unique(group[order], return_index=True)[1]]
    return _Settings(settings.rows[first], settings.form[first], settings.origin[first])


def _columns(
    past: Past, starts: Sequence[tuple[float, float, float, Floats]], kinds: Sequence[Form], settings: _Settings
) -> Columns:
    means, levels, slopes, patterns = (np.array(column) for column in zip(*starts, strict=True))
    trend = np.array([form.trend for form in kinds])[settings.form]
    season = np.array([form.season for form in kinds])[settings.form]
    multiplicative = kinds[0].multiplicative
    alpha, beta, gamma, phi = settings.rows.T
    at = settings.origin
    return Columns(
        ends=np.asarray(past.origins)[at],
        alpha=alpha,
        beta=beta,
        gamma=gamma * (1 - alpha),
        phi=phi,
        level=np.where(trend, levels[at], means[at]),
        slope=np.where(trend, slopes[at], 0.0),
        season=np.ascontiguousarray(np.where(season, patterns[at].T, 1.0 if multiplicative else 0.0)),
        multiplicative=multiplicative,
    )
