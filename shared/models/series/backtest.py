"""The rolling hold-out: where the origins are, and how every method did from each of them.

The rule: a method is refitted at every origin on what was known there, and the same steps are asked of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats
from shared.models.series.accuracy import Accuracy, accuracy, seasonal_naive_scale
from shared.models.series.past import Past, Projection, Projections

_ORIGINS = 8
_SHARE = 4
"""A hold-out takes at most one in so many values."""
_USUAL = 20.0
_AS_GOOD = 0.05
"""Share of the gain that a simpler method may lack."""


@dataclass(frozen=True)
class HoldOut:
    """``origins`` before the last, ascending, and ``steps`` ahead that are judged from each."""

    origins: tuple[int, ...]
    steps: int


def hold_out(length: int, horizon: int, season: int, slow: Sequence[float] = ()) -> HoldOut:
    """Up to eight origins, spread over the last half; needs more than a season and two values before the first.

    Where a slow cycle has been seen twice and there is room, all origins have seen it twice.
    """
    steps = max(1, min(horizon, length // _SHARE))
    last = length - steps
    least = 2 * season + 1 if last > 2 * season + 1 else season + 2
    first = max(least, length // 2, length - _ORIGINS * steps)
    for cycle in slow:
        seen_twice = int(np.ceil(2 * cycle))
        first = max(first, seen_twice) if seen_twice <= last else first
    spread = np.linspace(min(first, last), last, _ORIGINS)
    return HoldOut(tuple(sorted({int(origin) for origin in np.floor(spread)})), steps)


def judged(past: Past, projections: Projections, hold: HoldOut) -> Mapping[str, Accuracy]:
    """The accuracy of every method over all steps from all origins; the scale is that before the first origin."""
    scale = seasonal_naive_scale(past.known(hold.origins[0]), past.season)
    actual = np.concatenate([past.values[origin : origin + hold.steps] for origin in hold.origins])
    return {
        name: accuracy(actual, actual - errors(past, one, hold).ravel(), scale) for name, one in projections.items()
    }


def mean_of(members: Sequence[Sequence[Projection]]) -> list[Projection]:
    """The combination of methods with equal weights (Bates, Granger 1969)."""
    return [
        Projection(
            np.mean([one.point for one in at_origin], axis=0),
            np.mean([one.growth for one in at_origin], axis=0),
            np.mean([one.fitted for one in at_origin], axis=0),
            max(one.parameters for one in at_origin),
        )
        for at_origin in zip(*members, strict=True)
    ]


def best(past: Past, projections: Projections, hold: HoldOut, candidates: Sequence[str], reference: str) -> str:
    """The candidate with the least mean absolute error, or one before it that gains nearly as much on the reference.

    Here an error counts as no more than 20 usual ones of the reference: what nobody could have known decides nothing.
    The reference itself unless its mean absolute error is beaten, with all errors in full.
    """
    off = {name: np.abs(errors(past, projections[name], hold)) for name in (*candidates, reference)}
    most = _USUAL * float(np.median(off[reference])) or np.inf
    score = {name: float(np.minimum(one, most).mean()) for name, one in off.items()}
    beating = [name for name in candidates if float(off[name].mean()) < float(off[reference].mean()) * (1 - 1e-9)]
    least = min((score[name] for name in beating), default=np.inf)
    good = least + _AS_GOOD * max(score[reference] - least, 0.0)
    return next((name for name in beating if score[name] <= good), reference)


def errors(past: Past, found: Sequence[Projection], hold: HoldOut) -> Floats:
    """What came less what was expected: a row per origin, a column per step."""
    return np.array(
        [
            past.values[origin : origin + hold.steps] - one.point[: hold.steps]
            for origin, one in zip(hold.origins, found, strict=False)
        ]
    )
