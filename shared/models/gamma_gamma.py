"""Gamma-Gamma: what a purchase of a customer is worth (Fader, Hardie 2013, The Gamma-Gamma Model of Monetary Value).

Values of one customer's purchases are Gamma(p, ν), and ν is Gamma(q, v) over customers. The rule: fitted on customers
with a repeat and a positive mean value, and it supposes that value does not go with frequency; how far that holds is
told beside the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma
from typing import Literal

import numpy as np

from shared.models.histories import Floats, Histories, Ints
from shared.models.maximum import Hill, Maximum, maximise
from shared.models.refused import Refused

Boundary = Literal["equal_customers", "equal_purchases", "unbounded_mean"]

FEWEST = 3
"""Repeat customers that a fit needs: as many as it has parameters."""
STRONG_CORRELATION = 0.3
"""From here on, frequency and value go together so much that values are better not trusted."""
_LIMITS = ((-8.0, 10.0), (-5.0, 10.0), (-25.0, 25.0))
_STARTS = ((1.0, 1.0, 0.0), (0.0, 0.5, 0.0), (2.5, 2.0, 0.0))


@dataclass(frozen=True)
class GammaGamma:
    """The three parameters; ``v`` is in the unit of the values."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float:
        """Mean value over all customers, infinite for q ≤ 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")


@dataclass(frozen=True)
class GammaGammaFit:
    """The most likely parameters and what they rest on.

    ``correlation`` is Pearson's, of repeats and mean value over the customers fitted; None when one of them does not
    vary. ``observed_mean`` is the mean of their mean values: it stands in where the model has no mean of its own.
    """

    model: GammaGamma
    log_likelihood: float
    customers: float
    left_out: float
    correlation: float | None
    observed_mean: float
    boundary: tuple[Boundary, ...]
    level: float
    intervals: Mapping[str, tuple[float, float] | None]
    point: Floats
    covariance: Floats
    value_scale: float
    converged: bool


def fit_gamma_gamma(people: Histories, *, level: float = 0.95) -> GammaGammaFit | Refused:
    """Fit to the customers with a repeat and a positive mean value; ``left_out`` counts the other repeat customers."""
    again = people.repeats > 0
    fit = again & (people.value > 0) & np.isfinite(people.value)
    x, value, weights = people.repeats[fit], people.value[fit], people.customers[fit]
    if float(weights.sum()) < FEWEST:
        return Refused("too_few_repeat_customers")
    if float(np.ptp(value)) <= 1e-12 * float(value.max()):
        return Refused("equal_values")
    observed = float(np.average(value, weights=weights))
    likelihood = _Likelihood(x, value / observed, weights)
    found = maximise(Hill(lambda point: likelihood.value(model_at(point, 1.0)), _LIMITS), _STARTS)
    model = model_at(found.at, observed)
    return GammaGammaFit(
        model=model,
        log_likelihood=found.value - float(weights.sum()) * float(np.log(observed)),
        customers=float(weights.sum()),
        left_out=float(people.customers[again & ~fit].sum()),
        correlation=_correlation(x, value, weights),
        observed_mean=observed,
        boundary=_boundary(found, model),
        level=level,
        intervals={
            "p": found.interval(model.p, (1.0, 0.0, 0.0), level),
            "q": found.interval(model.q, (0.0, 1.0, 0.0), level),
            "v": found.interval(model.v, (-1.0, 1.0, 1.0), level),
        },
        point=found.at,
        covariance=found.covariance,
        value_scale=observed,
        converged=found.converged,
    )


def model_at(point: Floats, value_scale: float) -> GammaGamma:
    """The parameters at a point of the search: ln p, ln q, ln (p v / q)."""
    p, q, level = np.exp(point)
    return GammaGamma(float(p), float(q), float(level * q / p) * value_scale)


def expected_value(model: GammaGamma, observed_mean: float, people: Histories) -> Floats:
    """Expected value of a customer's purchases, past and future: their own mean and all customers', weighted.

    Without a repeat, or with a mean value that is not positive, it is that of all customers: the model's, or
    ``observed_mean`` where the model has none.
    """
    shape, rate = posterior(model, people)
    mean = model.mean if np.isfinite(model.mean) else observed_mean
    told = model.p * rate / np.where(shape > 1, shape - 1, 1.0)
    return np.where((shape > model.q) & (shape > 1), told, mean)


def second_moment_of_value(model: GammaGamma, people: Histories) -> Floats:
    """E[M²] of a customer's mean value M, given what they bought; infinite where the tail is too heavy to have one."""
    shape, rate = posterior(model, people)
    room = np.where(shape > 2, (shape - 1) * (shape - 2), 1.0)
    return np.where(shape > 2, (model.p * rate) ** 2 / room, np.inf)


def posterior(model: GammaGamma, people: Histories) -> tuple[Floats, Floats]:
    """Shape and rate of the gamma distribution of ν, given what each customer bought."""
    known = np.where((people.repeats > 0) & (people.value > 0), people.repeats, 0)
    return model.p * known + model.q, model.v + known * np.where(known > 0, people.value, 0.0)


class _Likelihood:
    """Equation (1a) of the note, summed beforehand where no parameter is in it."""

    def __init__(self, repeats: Ints, value: Floats, weights: Floats) -> None:
        self._x, x_of = np.unique(repeats, return_inverse=True)
        self._at_x = np.bincount(x_of, weights=weights)
        self._spent, self._repeats, self._weights = repeats * value, repeats, weights
        self._log_values = float(weights @ np.log(value))
        self._log_spent = float((weights * repeats) @ np.log(self._spent))

    def value(self, model: GammaGamma) -> float:
        """The log-likelihood."""
        p, q, v = model.p, model.q, model.v
        gammas = np.array([lgamma(p * x + q) - lgamma(p * x) - lgamma(q) for x in self._x.tolist()])
        spread = q * np.log1p(self._spent / v) + p * self._repeats * np.log(v + self._spent)
        return float(self._at_x @ gammas) + p * self._log_spent - self._log_values - float(self._weights @ spread)


def _correlation(repeats: Ints, value: Floats, weights: Floats) -> float | None:
    covariance = np.cov(repeats, value, aweights=weights, ddof=0)
    spread = float(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / np.sqrt(spread)) if spread > 0 else None


def _boundary(found: Maximum, model: GammaGamma) -> tuple[Boundary, ...]:
    told: list[Boundary] = []
    if found.limits.get(1) == 1:
        told.append("equal_customers")
    if found.limits.get(0) == 1:
        told.append("equal_purchases")
    if model.q <= 1:
        told.append("unbounded_mean")
    return tuple(told)
