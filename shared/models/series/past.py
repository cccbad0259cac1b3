"""What every forecasting method takes and gives: values up to some origins in, projections from each of them out.

The rule: a projection from an origin uses values before it alone, so that one from an earlier origin can be judged by
what came after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats


@dataclass(frozen=True)
class Past:
    """A series and the places to look ahead from, ascending; an origin is the number of values known there."""

    values: Floats
    origins: Sequence[int]
    horizon: int
    season: int
    slow: tuple[float, ...] = ()

    def known(self, origin: int) -> Floats:
        """The values before this origin."""
        return self.values[:origin]


@dataclass(frozen=True)
class Projection:
    """From one origin: ``point`` per step, and ``growth``, the standard error there as a multiple of one step's.

    ``fitted`` has, per value before the origin, what was expected of it one step before; NaN where nothing was.
    ``parameters`` is how many numbers were taken from the values.
    """

    point: Floats
    growth: Floats
    fitted: Floats
    parameters: int = 0


Projections = Mapping[str, Sequence[Projection]]
"""By name of the method, one per origin."""

Family = Callable[[Past], Projections]
"""Methods that share their work. One that cannot be used on these values is left out."""


def season_ahead(one: Floats, origin: int, horizon: int) -> Floats:
    """A value per place in the season (index modulo its length) as one per step from the origin."""
    return one[(origin + np.arange(horizon)) % len(one)]


def seasonal_pattern(values: Floats, season: int, *, multiplicative: bool) -> Floats:
    """By place in the season, how far values are from a centred moving average: classical decomposition.

    As differences that sum to zero, or as ratios whose mean is 1. With less than two seasons, from their mean.
    """
    if season == 1:
        return np.full(1, 1.0 if multiplicative else 0.0)
    weights = np.full(season, 1 / season)
    if season % 2 == 0:
        weights = np.convolve(weights, [0.5, 0.5])
    lost = len(weights) // 2
    inner, first = values, 0
    trend = np.full(len(values), values[: len(values) // season * season].mean() if len(values) >= season else 0.0)
    if len(values) >= season + 2 * lost:
        inner, first = values[lost : len(values) - lost], lost
        trend = np.convolve(values, weights, mode="valid")
    away = inner / trend if multiplicative else inner - trend
    place = (first + np.arange(len(inner))) % season
    pattern = np.bincount(place, weights=away, minlength=season) / np.bincount(place, minlength=season)
    centred: Floats = pattern / pattern.mean() if multiplicative else pattern - pattern.mean()
    return centred
