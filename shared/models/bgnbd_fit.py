"""Fits BG/NBD to purchase histories by maximum likelihood; a maximum at the boundary answers too, and says so.

The search runs over ln r, the logarithm of the mean rate r/α, the log-odds of the mean dropout a/(a+b), and ln (a+b):
every way in which the likelihood can go on rising for ever is one of these going to its limit, while the others keep
their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shared.models.bgnbd import BgNbd, Likelihood
from shared.models.histories import Floats, Histories
from shared.models.maximum import Hill, Maximum, maximise
from shared.models.refused import Refused

Boundary = Literal[
    "nobody_leaves", "everybody_leaves", "equal_rates", "extreme_rates", "equal_dropout", "extreme_dropout"
]

_RATE, _MEAN_RATE, _DROPOUT, _CERTAINTY = range(4)
_LIMITS = ((-9.0, 12.0), (-25.0, 25.0), (-14.0, 14.0), (-9.0, 12.0))
_BOUNDARIES: Mapping[tuple[int, int], Boundary] = {
    (_RATE, 1): "equal_rates",
    (_RATE, -1): "extreme_rates",
    (_DROPOUT, -1): "nobody_leaves",
    (_DROPOUT, 1): "everybody_leaves",
    (_CERTAINTY, 1): "equal_dropout",
    (_CERTAINTY, -1): "extreme_dropout",
}
_STARTS = ((-0.7, 0.2, -1.4, 1.1), (0.7, 0.0, -3.0, 0.0), (-1.6, 0.7, 0.0, 2.3), (0.0, -0.2, -4.5, 3.0))
_SAMPLE = 20_000
"""Histories on which the starts compete when there are many more; the winner then climbs on all of them."""


@dataclass(frozen=True)
class BgNbdFit:
    """The most likely parameters and what they rest on.

    ``intervals`` has each parameter's, of ``level``, from the Hessian in log space (delta method); None where the
    boundary leaves it open. ``point`` and ``covariance`` are those of the search (see the module), for what is derived.
    """

    model: BgNbd
    log_likelihood: float
    customers: float
    repeat_customers: float
    boundary: tuple[Boundary, ...]
    level: float
    intervals: Mapping[str, tuple[float, float] | None]
    point: Floats
    covariance: Floats
    time_scale: float
    converged: bool


def fit_bgnbd(people: Histories, *, level: float = 0.95) -> BgNbdFit | Refused:
    """Fit to all histories; the answer does not depend on the unit of time but for ``alpha`` and the likelihood's."""
    customers = float(people.customers.sum())
    again = people.repeats > 0
    if not len(people.repeats) or not people.age.max() > 0:
        return Refused("no_customers")
    if not again.any():
        return Refused("no_repeats")
    scale = float(people.age.max())
    found = _search(_scaled(people, scale))
    model = model_at(found.at, scale)
    return BgNbdFit(
        model=model,
        log_likelihood=Likelihood(people).value(model),
        customers=customers,
        repeat_customers=float(people.customers[again].sum()),
        boundary=tuple(_BOUNDARIES[limit] for limit in sorted(found.limits.items()) if limit in _BOUNDARIES),
        level=level,
        intervals=_intervals(found, model, level),
        point=found.at,
        covariance=found.covariance,
        time_scale=scale,
        converged=found.converged,
    )


def model_at(point: Floats, time_scale: float) -> BgNbd:
    """The parameters at a point of the search."""
    r, mean_rate, certainty = np.exp(point[[_RATE, _MEAN_RATE, _CERTAINTY]])
    stays, leaves = np.exp(-np.logaddexp(0.0, [point[_DROPOUT], -point[_DROPOUT]]))
    return BgNbd(float(r), float(r / mean_rate) * time_scale, float(leaves * certainty), float(stays * certainty))


def _search(people: Histories) -> Maximum:
    mean_rate = float(np.log((people.repeats @ people.customers) / (people.age @ people.customers)))
    starts: list[tuple[float, ...]] = [
        (rate, mean_rate + more, dropout, certainty) for rate, more, dropout, certainty in _STARTS
    ]
    if len(people.repeats) > 2 * _SAMPLE:
        chosen = np.sort(np.random.default_rng(0).choice(len(people.repeats), _SAMPLE, replace=False))
        tried = _climbed(people.some(chosen), starts)
        # From a limit there is no way back, so where the sample ends at one all starts climb again.
        starts = starts if tried.limits else [tuple(tried.at)]
    found = _climbed(people, starts)
    if found.limits.get(_DROPOUT) == -1:
        # Where nobody leaves, a+b means nothing; left alone it would wander, and with it a and b.
        found = _climbed(people, [tuple(found.at)], {_DROPOUT: _LIMITS[_DROPOUT][0], _CERTAINTY: 0.0})
        return Maximum(found.at, found.value, found.covariance, {**found.limits, _DROPOUT: -1}, found.converged)
    return found


def _climbed(
    people: Histories, starts: Sequence[tuple[float, ...]], fixed: Mapping[int, float] | None = None
) -> Maximum:
    likelihood = Likelihood(people)

    def gradient(point: Floats) -> Floats:
        model = model_at(point, 1.0)
        by_r, by_alpha, by_a, by_b = likelihood.gradient(model)
        turn = model.a * model.b / (model.a + model.b)
        return np.array(
            [
                by_r * model.r + by_alpha * model.alpha,
                -by_alpha * model.alpha,
                (by_a - by_b) * turn,
                by_a * model.a + by_b * model.b,
            ]
        )

    hill = Hill(lambda point: likelihood.value(model_at(point, 1.0)), _LIMITS, gradient, fixed or {})
    return maximise(hill, starts)


def _scaled(people: Histories, scale: float) -> Histories:
    return replace(people, last=people.last / scale, age=people.age / scale)


def _intervals(found: Maximum, model: BgNbd, level: float) -> dict[str, tuple[float, float] | None]:
    leaves = model.a / (model.a + model.b)
    return {
        "r": found.interval(model.r, (1.0, 0.0, 0.0, 0.0), level),
        "alpha": found.interval(model.alpha, (1.0, -1.0, 0.0, 0.0), level),
        "a": found.interval(model.a, (0.0, 0.0, 1 - leaves, 1.0), level),
        "b": found.interval(model.b, (0.0, 0.0, -leaves, 1.0), level),
    }
