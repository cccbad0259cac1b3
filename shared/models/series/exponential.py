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
from shared.models.series.smoothing import Columns, ahead, growth, smooth


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
_ALPHA = (0.02, 0.08, 0.2, 0.4, 0.7, 0.96)
_BETA = (0.005, 0.06, 0.3)
_GAMMA = (0.001, 0.05, 0.2, 0.6)
"""As a share of 1 - α, its upper limit."""
_PHI = (0.85, 0.95)
_FINER = (1.0, 0.5, 0.25)
"""Steps in log-odds around the best, one round each."""
_LEAST, _MOST = 1e-4, 1 - 1e-4
_PHI_LEAST, _PHI_MOST = 0.8, 0.98
"""Hyndman, Athanasopoulos, section 7.2: below, a trend is none; above, it is not damped."""


@dataclass(frozen=True)
class Start:
    """States before the first value: ``level`` and ``slope`` where there is a trend, ``mean`` where there is none."""

    mean: float
    level: float
    slope: float
    season: Floats


@dataclass(frozen=True)
class Settings:
    """Rows of α, β, γ, φ, with the number of their form and of their origin; γ is a share of 1 - α."""

    rows: Floats
    form: Ints
    origin: Ints


def exponential(past: Past) -> Projections:
    """All forms that fit these values: no seasonal ones without a season, multiplicative ones of positive values."""
    found: dict[str, list[Projection]] = {}
    skip = min(past.season, past.origins[0] // 2)
    for multiplicative in (False, True):
        forms = {
            name: form
            for name, form in FORMS.items()
            if form.multiplicative == multiplicative and (past.season > 1 or not form.season)
        }
        if forms and (not multiplicative or past.values.min() > 0):
            kinds = list(forms.values())
            starts = [_start(past, origin, multiplicative=multiplicative) for origin in past.origins]
            best = best_settings(past, kinds, starts, skip)
            made = _projections(past, kinds, best, columns_of(past, kinds, starts, best), skip)
            found |= dict(zip(forms, made, strict=True))
    return found


def best_settings(past: Past, forms: Sequence[Form], starts: Sequence[Start], skip: int) -> Settings:
    """Of each form at each origin those with the least squared errors after ``skip`` values; by origin, then form.

    ``starts`` has one per origin. The forms are all multiplicative, or none is.
    """
    best = _best(past, forms, starts, _grid(forms, len(past.origins)), skip)
    for step in _FINER:
        best = _best(past, forms, starts, _around(best, forms, step), skip)
    return best


def columns_of(past: Past, forms: Sequence[Form], starts: Sequence[Start], settings: Settings) -> Columns:
    """The settings as columns to smooth with."""
    trend = np.array([form.trend for form in forms])[settings.form]
    season = np.array([form.season for form in forms])[settings.form]
    multiplicative = forms[0].multiplicative
    alpha, beta, gamma, phi = settings.rows.T
    at = settings.origin
    mean, level, slope = (
        np.array([getattr(start, name) for start in starts])[at] for name in ("mean", "level", "slope")
    )
    patterns = np.array([start.season for start in starts])[at]
    return Columns(
        ends=np.asarray(past.origins)[at],
        alpha=alpha,
        beta=beta,
        gamma=gamma * (1 - alpha),
        phi=phi,
        level=np.where(trend, level, mean),
        slope=np.where(trend, slope, 0.0),
        season=np.ascontiguousarray(np.where(season, patterns.T, 1.0 if multiplicative else 0.0)),
        multiplicative=multiplicative,
    )


def _projections(
    past: Past, forms: Sequence[Form], best: Settings, columns: Columns, skip: int
) -> list[list[Projection]]:
    """By form, then origin."""
    end = smooth(past.values, columns, keep_fitted=True)
    found: list[list[Projection]] = [[] for _ in forms]
    for column, number in enumerate(best.form):
        form = forms[number]
        fitted = end.fitted[: columns.ends[column], column].copy()
        fitted[:skip] = np.nan
        parameters = 2 + 2 * form.trend + form.damped + past.season * form.season
        point = ahead(columns, end, column, past.horizon)
        found[number].append(Projection(point, growth(columns, column, past.horizon), fitted, parameters))
    return found


def _start(past: Past, origin: int, *, multiplicative: bool) -> Start:
    """From the seasonal pattern of what is known, and a line through the first values without it."""
    known, season = past.known(origin), past.season
    pattern = seasonal_pattern(known, season, multiplicative=multiplicative)
    first = known[: max(2 * season, 10)]
    around = np.resize(pattern, len(first))
    first = first / around if multiplicative else first - around
    time = np.arange(1.0, len(first) + 1)
    away = time - time.mean()
    slope = float(away @ first / (away @ away))
    mean = float(first[: max(season, 5)].mean())
    return Start(mean, float(first.mean() - slope * time.mean()), slope, pattern)


def _grid(forms: Sequence[Form], origins: int) -> Settings:
    rows: list[tuple[float, ...]] = []
    numbers: list[int] = []
    for number, form in enumerate(forms):
        beta = _BETA if form.trend else (0.0,)
        gamma = _GAMMA if form.season else (0.0,)
        phi = _PHI if form.damped else (1.0,)
        made = list(product(_ALPHA, beta, gamma, phi))
        rows += made
        numbers += [number] * len(made)
    at = np.repeat(np.arange(origins), len(rows))
    return Settings(np.tile(rows, (origins, 1)), np.tile(numbers, origins), at)


def _around(best: Settings, forms: Sequence[Form], step: float) -> Settings:
    """Each of the best, and all ways to move what is free in it up or down by a step in log-odds."""
    rows, numbers, origins = [], [], []
    for row, number, origin in zip(best.rows, best.form, best.origin, strict=True):
        form = forms[number]
        free = (True, form.trend, form.season, form.damped)
        moves = np.array(list(product(*((-step, 0.0, step) if one else (0.0,) for one in free))))
        with np.errstate(divide="ignore"):  # what is not free is 0 or 1, and stays
            odds = np.log(row) - np.log1p(-row) + moves
        rows.append(np.where(free, np.clip(1 / (1 + np.exp(-odds)), _LEAST, _MOST), row))
        numbers += [number] * len(moves)
        origins += [origin] * len(moves)
    made = np.concatenate(rows)
    damped = made[:, 3] < 1
    made[damped, 3] = np.clip(made[damped, 3], _PHI_LEAST, _PHI_MOST)
    return Settings(made, np.array(numbers), np.array(origins))


def _best(past: Past, forms: Sequence[Form], starts: Sequence[Start], settings: Settings, skip: int) -> Settings:
    squares = smooth(past.values, columns_of(past, forms, starts, settings), skip=skip).squares
    group = settings.origin * len(forms) + settings.form
    order = np.lexsort((squares, group))
    first = order[np.unique(group[order], return_index=True)[1]]
    return Settings(settings.rows[first], settings.form[first], settings.origin[first])
