"""The forecast of a series: every method is tried on a rolling hold-out, and the best is asked for what comes next.

The rule: a method that did not beat the seasonal naive one there is not served; then that one is, and the answer says
so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shared.models.histories import Floats
from shared.models.refused import Refused
from shared.models.series.accuracy import Accuracy
from shared.models.series.backtest import HoldOut, best, hold_out, judged, mean_of
from shared.models.series.closed import closed_phases, open_places
from shared.models.series.exponential import exponential
from shared.models.series.grains import Grain
from shared.models.series.intervals import bounds
from shared.models.series.past import Family, Past, Projection
from shared.models.series.regression import regression
from shared.models.series.simple import simple
from shared.models.series.tamed import tamed
from shared.models.series.theta import theta

REFERENCE = "seasonal_naive"
COMBINATION = "combination"
_FAMILIES: tuple[Family, ...] = (simple, exponential, theta, regression)
_SHOWN_ONLY = frozenset({"mean"})
_INTERMITTENT = 0.3
_NOT_OF_INTERMITTENT = frozenset({"naive", "drift"})
"""Where many values are zero, so most likely is the last: that it goes on is right most often, and of no use."""
_COMBINED = (
    ("holt_winters_damped_multiplicative", "holt_winters_damped", "damped_trend"),
    ("theta",),
    ("calendar_regression_log", "calendar_regression"),
)
"""The first there is of each."""
_LONGEST = 3000
_LEAST = 6
_HUGE = 1e290


@dataclass(frozen=True)
class Forecast:
    """What is expected of the periods after the last, one entry each, in the unit of the values.

    ``model`` is a name in ``candidates``, which has the accuracy of all that were tried over ``origins`` × ``steps`` of
    the hold-out; ``accuracy`` is the served one's, ``seasonal_naive`` the reference's. ``intervals`` has the lower and
    upper bounds by level. ``closed`` are the places in the season (index of the first value modulo ``season``) where
    nothing happens: they are forecast as zero, and left out of the hold-out. ``used`` is how many of the last values
    were looked at.
    """

    model: str
    beats_seasonal_naive: bool
    point: Floats
    intervals: Mapping[float, tuple[Floats, Floats]]
    accuracy: Accuracy
    seasonal_naive: Accuracy
    candidates: Mapping[str, Accuracy]
    season: int
    closed: tuple[int, ...]
    origins: tuple[int, ...]
    steps: int
    used: int


def forecast(
    values: npt.ArrayLike,
    grain: Grain,
    horizon: int,
    *,
    levels: Sequence[float] = (0.8, 0.95),
    non_negative: bool = False,
) -> Forecast | Refused:
    """The next ``horizon`` periods of a regular series, oldest value first, gaps filled.

    ``non_negative`` says that values below zero cannot be (orders, units): no forecast or bound is. Zeros before the
    first value are no history, in whole seasons. Of long series the last 3,000 values are used. Refused
    ``under_two_seasons``, ``too_few_values`` and ``not_finite``. Raises ValueError for a horizon below 1 and for levels
    outside 0 to 1.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or horizon < 1 or not all(0 < level < 1 for level in levels):
        raise ValueError("values are one row, the horizon is 1 or more, and levels lie between 0 and 1")
    if not (np.abs(given) < _HUGE).all():
        return Refused("not_finite")
    known = _history(given, grain)
    season = grain.season(len(known))
    if season is None:
        return Refused("under_two_seasons")
    scale = float(np.abs(known).max()) or 1.0
    closed = closed_phases(known, season)
    ahead = open_places(len(known) + horizon, season, closed)
    past_places, future_places = ahead[ahead < len(known)], ahead[ahead >= len(known)] - len(known)
    kept = season - len(closed)
    if len(past_places) < max(kept + 3, _LEAST):
        return Refused("too_few_values")
    steps = max(len(future_places), 1)
    slow = tuple(cycle * kept / season for cycle in grain.slow)
    hold = hold_out(len(past_places), steps, kept, slow)
    came = Past(known[past_places] / scale, (*hold.origins, len(past_places)), steps, kept, slow)
    served = _served(came, hold, levels, non_negative=non_negative)

    def told(open_steps: Floats) -> Floats:
        every = np.zeros(horizon)
        every[future_places] = open_steps[: len(future_places)] * scale
        return np.maximum(every, 0.0) if non_negative else every

    return Forecast(
        model=served.model,
        beats_seasonal_naive=served.model != REFERENCE,
        point=told(served.projection.point),
        intervals={level: (told(low), told(high)) for level, (low, high) in served.intervals.items()},
        accuracy=_in_unit(served.candidates[served.model], scale),
        seasonal_naive=_in_unit(served.candidates[REFERENCE], scale),
        candidates={name: _in_unit(one, scale) for name, one in served.candidates.items()},
        season=season,
        closed=tuple((phase + len(given) - len(known)) % season for phase in closed),
        origins=tuple(int(past_places[origin - 1]) + 1 + len(given) - len(known) for origin in hold.origins),
        steps=hold.steps,
        used=len(known),
    )


@dataclass(frozen=True)
class _Served:
    model: str
    projection: Projection
    intervals: Mapping[float, tuple[Floats, Floats]]
    candidates: Mapping[str, Accuracy]


def _served(came: Past, hold: HoldOut, levels: Sequence[float], *, non_negative: bool) -> _Served:
    found: dict[str, Sequence[Projection]] = {}
    past = replace(came, values=tamed(came.values, came.season))
    for family in _FAMILIES:
        found |= family(past)
    members = [next(name for name in names if name in found) for names in _COMBINED]
    found[COMBINATION] = mean_of([found[name] for name in members])
    unfit = _SHOWN_ONLY
    if np.mean(came.values == 0) > _INTERMITTENT:
        unfit |= _NOT_OF_INTERMITTENT
    model = best(came, found, hold, [name for name in found if name not in unfit], REFERENCE)
    projections = list(found[model])
    if non_negative:  # before the bounds, which would both be zero otherwise
        projections[-1] = replace(projections[-1], point=np.maximum(projections[-1].point, 0.0))
    return _Served(model, projections[-1], bounds(past, projections, hold, levels), judged(came, found, hold))


def _history(given: Floats, grain: Grain) -> Floats:
    """Without what is not looked at: whole seasons, so that places in the season stay."""
    season = grain.season(len(given))
    if season is None or not given.any():
        return given[len(given) - _LONGEST // (season or 1) * (season or 1) :] if len(given) > _LONGEST else given
    before = int(np.flatnonzero(given)[0]) // season * season
    before = max(before, -(-(len(given) - _LONGEST) // season) * season)
    return given[before:]


def _in_unit(one: Accuracy, scale: float) -> Accuracy:
    return replace(one, mae=one.mae * scale, rmse=one.rmse * scale)
