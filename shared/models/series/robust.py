"""A level and a season that are learned value by value and not misled by odd ones, and how far values scatter around.

    ratio         expected = l s        difference    expected = l + s
    s    median of the last values of its place, each over (or less) the median of the season that ended with it
    l    median of the last values, each over (or less) its s

A median is moved by odd values only when they are half of it: short ones follow a shift within two values, long ones
hold steady. Several lengths are asked, and their mean taken, by how near each was to the values before, the older the
less. Errors of that mean have σ = c expected^p; p is 0, ½ (counts) or 1 (sales), whatever was likeliest.
Davies, Fried, Gather 2004 (running medians); Vovk 1990 (weighted experts); Dawid 1984 (prequential).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from shared.models.histories import Floats, Ints

_LEVELS = (1, 3, 7, 15, 29)
_SEASONS = (5, 11)
"""How many values a median is of."""
_POWERS = np.array([0.0, 0.5, 1.0])
_SCALE, _KEPT = 42, 0.8
"""σ is from the mean of the smaller of so many last errors, this share of them."""
_MEAN_OF_KEPT = 0.558600
"""That mean for standard normal errors: 2 (φ(0) - φ(1.2816)) / 0.8."""
_MEAN_OF_ALL = 0.797885
_CUT = 4.0
"""Sigmas beyond which a value weighs no more, or one would decide for long who is asked."""
_MEMORY = 0.9875
_EAGER = 0.5
"""How strongly weights follow losses."""
_FLOOR = 0.1
"""Of what is usually expected: below, errors are as large as there."""
_LEAST = 1e-9
"""Of a typical value: smaller errors are rounding."""


class Robust:
    """``warm`` are the first values, whole seasons, learned at once; ``closed`` places are left out.

    Axes of the arrays, in this order: form, values in the season's median, values in the level's median.
    """

    def __init__(self, warm: Floats, season: int, closed: Ints) -> None:
        places = np.arange(len(warm)) % season
        is_open = ~np.isin(places, closed)
        values, places = warm[is_open], places[is_open]
        self._unit = float(np.median(np.abs(values))) or float(np.abs(values).mean()) or 1.0
        values = values / self._unit
        self._positive = bool(values.min() >= 0)
        self._around: deque[float] = deque(values[:season], maxlen=season)
        self._of_place: list[deque[Floats]] = [deque(maxlen=_SEASONS[-1]) for _ in range(season)]
        self._season = np.tile(np.array([1.0, 0.0]).reshape(2, 1, 1), (1, len(_SEASONS), season))
        self._freed: deque[Floats] = deque(maxlen=_LEVELS[-1])
        self._level = np.zeros((2, len(_SEASONS), len(_LEVELS)))
        self._loss = np.zeros_like(self._level)
        self._likely = np.zeros(len(_POWERS))
        self._off: deque[Floats] = deque(maxlen=_SCALE)
        self._is_zero: deque[bool] = deque(maxlen=_SCALE)
        self._scale = np.ones(len(_POWERS))
        told = list(zip(values.tolist(), places.tolist(), strict=True))
        for value, place in told:
            self._learn_season(value, place)
        for value, place in told:
            self._learn_level(value, place)
        # What was fitted to few seasons is nearer to them than to the next.
        seen = len(values) / max(season - len(closed), 1)
        few = float(np.sqrt(seen / max(seen - 1, 0.5)))
        for value, place in told:
            self._learn_scale(value, few * abs(value - self._mean(place)), self._mean(place))

    def expected(self, place: int) -> tuple[float, float]:
        """What is expected at this place in the season, and σ."""
        mean = self._mean(place)
        sigma = self._sigma(mean)[int(np.argmax(self._likely)) if self._positive else 0]
        mean = max(mean, 0.0) if self._positive else mean
        return mean * self._unit, float(sigma) * self._unit

    def learn(self, value: float, place: int, bounds: tuple[float, float]) -> None:
        """One value, at this place in the season; for the level it counts as no farther out than its bounds."""
        value, lower, upper = value / self._unit, bounds[0] / self._unit, bounds[1] / self._unit
        self._positive &= value >= 0
        mean = self._mean(place)
        sigma = self._sigma(mean)
        error = abs(value - mean)
        self._likely = _MEMORY * self._likely - np.log(sigma) - np.minimum(error / sigma, _CUT) ** 2 / 2
        usual = sigma[int(np.argmax(self._likely)) if self._positive else 0]
        self._loss = _MEMORY * self._loss + np.minimum(np.abs(value - self._at(place)) / usual, _CUT)
        self._learn_scale(value, error, mean)
        self._learn_level(min(max(value, lower), upper), place)
        self._learn_season(value, place)

    def moved(self, values: Sequence[float], places: Sequence[int]) -> None:
        """These last values are the new normal: the level is theirs, whatever was before; the season stays."""
        self._freed.clear()
        for value, place in zip(values, places, strict=True):
            self._learn_level(value / self._unit, place)

    def opened(self, place: int) -> None:
        """A place that was closed is not: whatever was known of it is forgotten."""
        self._of_place[place].clear()

    def _at(self, place: int) -> Floats:
        season = self._season[:, :, place, None]
        return np.concatenate([self._level[:1] * season[:1], self._level[1:] + season[1:]])

    def _mean(self, place: int) -> float:
        weight = np.exp(_EAGER * (self._loss.min() - self._loss))
        if not self._positive:
            weight[0] = 0
        return float((weight * self._at(place)).sum() / weight.sum())

    def _sigma(self, mean: float) -> Floats:
        return self._scale * self._size(mean)

    def _size(self, mean: float) -> Floats:
        usual = abs(float(self._level[0, 0, -1]))
        size: Floats = max(mean, _FLOOR * usual, _LEAST) ** _POWERS
        return size

    def _learn_scale(self, value: float, error: float, mean: float) -> None:
        self._off.append(error / self._size(mean))
        self._is_zero.append(value == 0)
        errors = np.array(self._off)
        if 2 * sum(self._is_zero) > len(errors):  # what is odd here is a value at all: none of them can be left out
            usual = errors.mean(axis=0) / _MEAN_OF_ALL
        else:
            usual = np.sort(errors, axis=0)[: max(round(_KEPT * len(errors)), 1)].mean(axis=0) / _MEAN_OF_KEPT
        self._scale = np.maximum(usual, _LEAST)

    def _learn_season(self, value: float, place: int) -> None:
        self._around.append(value)
        base = float(np.median(self._around))
        ratio = value / base if base > _LEAST else self._season[0, 0, place]
        self._of_place[place].append(np.array([ratio, value - base]))
        known = np.array(self._of_place[place])
        for index, count in enumerate(_SEASONS):
            self._season[:, index, place] = _median(known[-count:])

    def _learn_level(self, value: float, place: int) -> None:
        season = self._season[:, :, place]
        self._freed.append(np.array([value / np.maximum(season[0], _FLOOR), value - season[1]]))
        known = np.array(self._freed)
        for index, count in enumerate(_LEVELS):
            self._level[:, :, index] = _median(known[-count:])


def _median(rows: Floats) -> Floats:
    """As numpy's over the first axis, without its ceremony."""
    ordered, middle = np.sort(rows, axis=0), len(rows) // 2
    found: Floats = ordered[middle] if len(rows) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return found
