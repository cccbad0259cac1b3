"""Anomalies of a series: every value is judged by a robust model of the values before it, and by nothing else.

The rule: closed places of the season do not alarm, odd values are not learned from, and what stays odd for long enough
is the new normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.models.histories import Floats, Ints
from shared.models.refused import Refused
from shared.models.series.closed import closed_places
from shared.models.series.grains import Grain
from shared.models.series.robust import Robust
from shared.models.series.tail import Tail

SENSITIVITIES: Mapping[str, float] = {"low": 0.2, "medium": 0.5, "high": 2.0}
"""Expected false alarms per 100 values."""
_WARM = 21
_MOST = 1e6
_HUGE = 1e290
_RATES = (0.1, 10.0)


@dataclass(frozen=True)
class Anomalies:
    """One entry per value; of those that were not judged ``judged`` is false and the numbers are NaN.

    ``expected``, ``lower``, ``upper`` are in the unit of the values; ``score`` is in robust standard deviations, with
    its sign, cut beyond ±10⁶. ``direction`` is 1 for an anomaly above, -1 below, 0 for none. ``is_outage`` is a zero
    where there have been none before: an anomaly even inside the bounds. ``is_closed`` places expect zero.
    ``false_alarms_per_100`` is how many ordinary values out of 100 are expected outside their bounds; of normal,
    lognormal, gamma and Poisson noise there were 0.4 to 1.0 where 0.5 are told, of noise as heavy as t with 3 degrees
    of freedom 1.9.
    """

    judged: npt.NDArray[np.bool_]
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    direction: Ints
    is_anomaly: npt.NDArray[np.bool_]
    is_outage: npt.NDArray[np.bool_]
    is_closed: npt.NDArray[np.bool_]
    false_alarms_per_100: float
    season: int
    warm_up: int


def anomalies(
    values: npt.ArrayLike,
    grain: Grain,
    *,
    false_alarms_per_100: float = SENSITIVITIES["medium"],
    learn: npt.ArrayLike | None = None,
) -> Anomalies | Refused:
    """Judge a regular series, oldest value first; NaN is a value not known: not judged, not learned from.

    ``learn`` is false for values that are judged but not learned from (a campaign, an unfinished period). The first
    seasons, see ``warm_up``, are for learning only. Refused ``under_two_seasons`` and ``not_finite``. Raises ValueError
    for shapes and rates that cannot be.
    """
    given = np.asarray(values, dtype=np.float64)
    learned = np.ones(given.shape, dtype=np.bool_) if learn is None else np.asarray(learn, dtype=np.bool_)
    if given.ndim != 1 or learned.shape != given.shape:
        raise ValueError("values are one row, and learn is one per value")
    if not _RATES[0] <= false_alarms_per_100 <= _RATES[1]:
        raise ValueError("false alarms per 100 values are 0.1 to 10")
    season = grain.season(len(given))
    if season is None:
        return Refused("under_two_seasons")
    if not (np.isnan(given) | (np.abs(given) < _HUGE)).all():
        return Refused("not_finite")
    warm = warm_up(season)
    verdicts = [_UNJUDGED] * min(warm, len(given))
    if len(given) > warm:
        judge = _Judge(given[:warm], season, grain.patience, false_alarms_per_100 / 100)
        verdicts += [judge(index, float(given[index]), learn=bool(learned[index])) for index in range(warm, len(given))]
    score = np.array([one.score for one in verdicts])
    direction = np.array([one.direction for one in verdicts], dtype=np.int64)
    return Anomalies(
        judged=~np.isnan(score),
        expected=np.array([one.expected for one in verdicts]),
        lower=np.array([one.lower for one in verdicts]),
        upper=np.array([one.upper for one in verdicts]),
        score=score,
        direction=direction,
        is_anomaly=direction != 0,
        is_outage=np.array([one.is_outage for one in verdicts]),
        is_closed=np.array([one.is_closed for one in verdicts]),
        false_alarms_per_100=false_alarms_per_100,
        season=season,
        warm_up=warm,
    )


def warm_up(season: int) -> int:
    """Values that are learned from before the first is judged: two seasons, three where they are short; 8 at least."""
    least = max(2 * season, min(3 * season, _WARM), 8)
    return -(-least // season) * season


@dataclass(frozen=True)
class _Verdict:
    expected: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    score: float = np.nan
    direction: int = 0
    is_outage: bool = False
    is_closed: bool = False


_UNJUDGED = _Verdict()
_CLOSED = _Verdict(0.0, 0.0, 0.0, 0.0, is_closed=True)


class _Judge:
    """One value after the other."""

    def __init__(self, warm: Floats, season: int, patience: int, rate: float) -> None:
        self._season, self._patience, self._rate = season, patience, rate
        self._calendar = _Calendar(season)
        for index, value in enumerate(warm.tolist()):
            self._calendar.count(index % season, value)
        closed = np.array([self._calendar.is_closed(place) for place in range(season)])
        for index, value in enumerate(warm.tolist()):
            if not closed[index % season]:
                self._calendar.count_open(value)
        self._model = Robust(_filled(warm, season), season, np.flatnonzero(closed))
        self._above, self._below = Tail(rate / 2, len(warm)), Tail(rate / 2, len(warm))
        self._direction = 0
        self._odd: list[tuple[float, int]] = []

    def __call__(self, index: int, value: float, *, learn: bool) -> _Verdict:
        place = index % self._season
        if np.isnan(value):
            return _UNJUDGED
        closed = self._calendar.is_closed(place)
        self._calendar.count(place, value)
        if closed and value == 0:
            return _CLOSED
        expected, sigma = (0.0, self._model.expected(place)[1]) if closed else self._model.expected(place)
        score = float(np.clip((value - expected) / sigma, -_MOST, _MOST))
        lower, upper = expected - self._below.limit * sigma, expected + self._above.limit * sigma
        outage = value == 0 and expected > 0 and self._calendar.never_zero(self._rate / 2)
        direction = int(value > upper) - int(value < lower or outage)
        least = 0.0 if self._calendar.smallest >= 0 else -np.inf
        if learn:
            if closed:
                self._model.opened(place)
            self._model.learn(value, place, (lower, upper))
            self._learn(value, place, score, direction)
        self._calendar.count_open(value)
        return _Verdict(expected, max(lower, least), max(upper, least), score, direction, outage, closed)

    def _learn(self, value: float, place: int, score: float, direction: int) -> None:
        if not direction or direction != self._direction:  # of a run of odd values one counts
            self._above.learn(score)
            self._below.learn(-score)
        if direction != self._direction:
            self._odd.clear()
        self._direction = direction
        if direction:
            self._odd.append((value, place))
        if len(self._odd) == self._patience:
            values, places = zip(*self._odd, strict=True)
            self._model.moved(values, places)
            self._calendar.settle()
            self._odd.clear()


class _Calendar:
    """Where and how often there were zeros so far, and the smallest value."""

    def __init__(self, season: int) -> None:
        self._count, self._zeros, self._run = (np.zeros(season, dtype=np.int64) for _ in range(3))
        self._open_values, self._stretches, self._in_zeros = 0, 0, False
        self._since_never = False
        self.smallest = np.inf

    def is_closed(self, place: int) -> bool:
        return bool(closed_places(self._count, self._zeros, self._run)[place])

    def never_zero(self, share: float) -> bool:
        """Zeros come, if at all, in no more stretches than this share of the open values; one goes on as it began."""
        return self._since_never if self._in_zeros else self._stretches <= share * self._open_values

    def settle(self) -> None:
        """If there are zeros now, they are no longer odd."""
        self._since_never = False

    def count(self, place: int, value: float) -> None:
        if np.isnan(value):
            return
        self._count[place] += 1
        self._zeros[place] += value == 0
        self._run[place] = self._run[place] + 1 if value == 0 else 0

    def count_open(self, value: float) -> None:
        if np.isnan(value):
            return
        self.smallest = min(self.smallest, value)
        if value == 0 and not self._in_zeros:
            self._since_never = self.never_zero(0.0)
            self._stretches += 1
        self._open_values += 1
        self._in_zeros = value == 0


def _filled(warm: Floats, season: int) -> Floats:
    """What is not known is as the others of its place, or as all."""
    rows = warm.reshape(-1, season).copy()
    for place in range(season):
        column = rows[:, place]
        known = column[~np.isnan(column)]
        known = known if len(known) else warm[~np.isnan(warm)]
        column[np.isnan(column)] = np.median(known) if len(known) else 0.0
    return rows.ravel()
