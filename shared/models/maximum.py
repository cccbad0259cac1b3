"""The door to Minuit: the only importer of iminuit. Finds where a log-likelihood is greatest, and how sharply.

The rule: a maximum that lies at a limit is an answer too, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from iminuit import Minuit

from shared.models.histories import Floats
from shared.models.normal import log_interval

NO_LOSS = 0.01
"""Log-likelihood that a parameter may cost by going to its limit for the maximum to count as lying there."""
_TOLERANCE = 0.01
"""Minuit's: it stops when it expects to gain less than a thousandth of this. The noise of sums over 10⁶ is below."""
_MOST_CALLS = 2000


@dataclass(frozen=True)
class Maximum:
    """The best point found. ``covariance`` is zero for parameters at a limit (-1 the lower, 1 the upper) or fixed."""

    at: Floats
    value: float
    covariance: Floats
    limits: Mapping[int, int]
    converged: bool

    def interval(self, value: float, along: Sequence[float], level: float) -> tuple[float, float] | None:
        """Of a positive value whose logarithm has these slopes (delta method); None where a limit leaves it open."""
        if any(along[index] for index in self.limits):
            return None
        slopes = np.array(along)
        return log_interval(value, float(slopes @ self.covariance @ slopes), level)


@dataclass(frozen=True)
class Hill:
    """What is climbed: a function of a point, its slope when that is known, and how far each parameter may go."""

    height: Callable[[Floats], float]
    limits: Sequence[tuple[float, float]]
    slope: Callable[[Floats], Floats] | None = None
    fixed: Mapping[int, float] = field(default_factory=dict)


def maximise(hill: Hill, starts: Sequence[Sequence[float]]) -> Maximum:
    """Climb from every start with MIGRAD (James, Roos 1975), keep the highest, then see what lies at a limit.

    The covariance is the inverse of the Hessian (HESSE), in the function's own parameters.
    """
    best = min((_climb(hill, start) for start in starts), key=_depth)
    at_limit: dict[int, int] = {}
    bounds = dict(hill.fixed)
    for index, (low, high) in enumerate(hill.limits):
        for side, bound in ((-1, low), (1, high)):
            pinned = None if index in bounds else _at_bound(hill, best, {**bounds, index: bound}, index)
            if pinned is not None:
                best = pinned
                bounds[index] = bound
                at_limit[index] = side
    best.hesse()
    return Maximum(
        at=np.array(best.values),
        value=-_depth(best),
        covariance=_covariance(best),
        limits=at_limit,
        converged=bool(best.valid),
    )


def _climb(hill: Hill, start: Sequence[float], fixed: Mapping[int, float] | None = None) -> Minuit:
    known = hill.fixed if fixed is None else fixed
    begin = np.array([known.get(index, value) for index, value in enumerate(start)])
    slope = hill.slope

    # Minuit is typed for functions of one float each, and takes those of an array as well.
    # At the edge of rounding it asks for a point that is no number.
    depth: Any = lambda at: -hill.height(at) if np.isfinite(at).all() else np.inf  # noqa: E731 - a name for its type
    fall: Any = None if slope is None else (lambda at: -slope(at) if np.isfinite(at).all() else np.zeros(len(at)))
    minuit = Minuit(depth, begin, grad=fall)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.strategy = 0  # no Hessian on the way: one at the end is enough
    minuit.tol = _TOLERANCE
    for index, limit in enumerate(hill.limits):
        minuit.limits[index] = limit
        minuit.errors[index] = 0.3
        minuit.fixed[index] = index in known
    return minuit.migrad(ncall=_MOST_CALLS)


def _depth(minuit: Minuit) -> float:
    return float(minuit.fval) if minuit.fval is not None and np.isfinite(minuit.fval) else np.inf


def _at_bound(hill: Hill, best: Minuit, fixed: Mapping[int, float], index: int) -> Minuit | None:
    """The maximum with one more parameter at its bound, if that is no worse."""
    there = np.array(best.values)
    there[index] = fixed[index]
    if -hill.height(there) > _depth(best) + 1:  # moved alone it loses too much for the others to win it back
        return None
    pinned = _climb(hill, there.tolist(), fixed)
    return pinned if _depth(pinned) <= _depth(best) + NO_LOSS else None


def _covariance(minuit: Minuit) -> Floats:
    size = len(minuit.values)
    return np.full((size, size), np.nan) if minuit.covariance is None else np.array(minuit.covariance, dtype=np.float64)
