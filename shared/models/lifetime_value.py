"""Customer lifetime value: expected purchases × expected value, per customer and in total, with intervals and tiers.

    value = discounted expected purchases (BG/NBD) × expected value of a purchase (Gamma-Gamma) × margin

The rule: intervals of single customers suppose the parameters known; those of totals add what is not known of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shared.models import gamma_gamma, purchases
from shared.models.bgnbd import BgNbd, probability_alive, probability_of_purchase
from shared.models.bgnbd_fit import BgNbdFit, model_at
from shared.models.gamma_gamma import GammaGamma, GammaGammaFit
from shared.models.histories import Floats, Histories, Ints
from shared.models.normal import two_sided

TIERS = ("top", "high", "middle", "low")
_SLOPE_STEP = 1e-3  # of parameters in log space
_DRAWN_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Outlook:
    """How far to look. ``horizon`` in the unit of time of the histories, ``discount`` continuous per unit of time."""

    horizon: float
    discount: float = 0.0
    margin: float = 1.0
    level: float = 0.8


@dataclass(frozen=True)
class LifetimeValues:
    """One entry per row of the histories, see ``Histories.row_of`` for people.

    ``orders_low`` and ``orders_high`` hold ``Outlook.level`` of the exact distribution of orders. ``orders`` and
    ``revenue`` are not discounted and without margin; ``value`` is both. ``tier`` is 0 (the best) to 3.
    """

    alive: Floats
    buys_again: Floats
    orders: Floats
    orders_low: Ints
    orders_high: Ints
    order_value: Floats
    revenue: Floats
    value: Floats
    tier: Ints


@dataclass(frozen=True)
class Total:
    """A sum over all customers, with its standard deviation; None where that is not finite (q ≤ 2, or an open fit)."""

    expected: float
    deviation: float | None

    def interval(self, level: float) -> tuple[float, float] | None:
        """Bounds that hold ``level`` of a normal distribution, not below zero."""
        if self.deviation is None:
            return None
        reach = two_sided(level) * self.deviation
        return max(self.expected - reach, 0.0), self.expected + reach


def lifetime_values(fit: BgNbdFit, spend: GammaGammaFit, people: Histories, outlook: Outlook) -> LifetimeValues:
    """What each customer is expected to bring within the horizon."""
    model, horizon = fit.model, outlook.horizon
    alive = probability_alive(model, people)
    orders = purchases.expected_purchases(model, people, alive, horizon)
    discounted = orders
    if outlook.discount:
        discounted = purchases.expected_purchases(model, people, alive, horizon, outlook.discount)
    low, high = purchases.purchases_interval(model, people, alive, horizon, outlook.level)
    order_value = gamma_gamma.expected_value(spend.model, spend.observed_mean, people)
    value = discounted * order_value * outlook.margin
    return LifetimeValues(
        alive=alive,
        buys_again=probability_of_purchase(model, people, alive, horizon),
        orders=orders,
        orders_low=low,
        orders_high=high,
        order_value=order_value,
        revenue=orders * order_value,
        value=value,
        tier=tiers(value, people.customers),
    )


def tiers(values: Floats, customers: Floats) -> Ints:
    """The quarter of customers each row is in by value, 0 the highest. Equals are together, in the better quarter."""
    distinct, rank = np.unique(-values, return_inverse=True)
    at_rank = np.bincount(rank, weights=customers, minlength=len(distinct))
    better = np.cumsum(at_rank) - at_rank
    tier: Ints = np.floor(len(TIERS) * better / at_rank.sum()).astype(np.int64)[rank]
    return tier


def total_orders(fit: BgNbdFit, people: Histories, horizon: float) -> Total:
    """Orders of all customers within the horizon.

    Its variance is that of independent customers, and that of the parameters by the delta method.
    """
    alive, orders = _orders(fit.model, people, horizon)
    scatter = purchases.variance_of_purchases(fit.model, people, alive, horizon, orders)

    def at(point: Floats) -> float:
        return float(people.customers @ _orders(model_at(point, fit.time_scale), people, horizon)[1])

    variance = float(people.customers @ scatter) + _parameter_variance(at, fit.point, fit.covariance)
    return _total(float(people.customers @ orders), variance)


def total_revenue(fit: BgNbdFit, spend: GammaGammaFit, people: Histories, horizon: float) -> Total:
    """Revenue of all customers within the horizon, not discounted, without margin; as ``total_orders``."""
    mean = spend.observed_mean
    alive, orders = _orders(fit.model, people, horizon)
    worth = gamma_gamma.expected_value(spend.model, mean, people)
    scatter = purchases.variance_of_purchases(fit.model, people, alive, horizon, orders)
    moment = gamma_gamma.second_moment_of_value(spend.model, people)
    # V is the sum of Y purchases of mean M: E[V²] = E[Y²] E[M²] + E[Y] E[M²]/p.
    spread = (scatter + orders**2 + orders / spend.model.p) * moment - (orders * worth) ** 2

    def at_orders(point: Floats) -> float:
        return float((people.customers * worth) @ _orders(model_at(point, fit.time_scale), people, horizon)[1])

    def at_worth(point: Floats) -> float:
        other = gamma_gamma.model_at(point, spend.value_scale)
        return float((people.customers * orders) @ gamma_gamma.expected_value(other, mean, people))

    variance = float(people.customers @ spread)
    variance += _parameter_variance(at_orders, fit.point, fit.covariance)
    variance += _parameter_variance(at_worth, spend.point, spend.covariance)
    return _total(float(people.customers @ (orders * worth)), variance)


def revenue_interval(
    fit: BgNbdFit, spend: GammaGammaFit, people: Histories, outlook: Outlook, *, draws: int = 1000, seed: int = 0
) -> tuple[Floats, Floats]:
    """Bounds that hold ``level`` of the revenue of each row within the horizon, not discounted, without margin.

    By simulation of ``draws`` futures per row, the same ones for the same rows and seed: as many purchases as a Poisson
    process makes before somebody leaves, of values that are Gamma. For a page of customers: three seconds per 10,000.
    """
    low, high = np.empty(len(people.repeats)), np.empty(len(people.repeats))
    random = np.random.default_rng(seed)
    shares = [(1 - outlook.level) / 2, (1 + outlook.level) / 2]
    step = max(1, _DRAWN_AT_ONCE // draws)
    for first in range(0, len(low), step):
        rows = slice(first, first + step)
        futures = _futures(fit.model, spend.model, people.some(rows), outlook.horizon, draws=draws, random=random)
        low[rows], high[rows] = np.quantile(futures, shares, axis=1)
    return low, high


def _orders(model: BgNbd, people: Histories, horizon: float) -> tuple[Floats, Floats]:
    """P(alive) and expected orders."""
    alive = probability_alive(model, people)
    return alive, purchases.expected_purchases(model, people, alive, horizon)


def _futures(
    model: BgNbd, worth: GammaGamma, people: Histories, horizon: float, *, draws: int, random: np.random.Generator
) -> Floats:
    """Simulated revenue, a row per history and a column per draw."""
    x = people.repeats[:, None]
    shape = (len(people.repeats), draws)
    rate = random.gamma(model.r + x, 1 / (model.alpha + people.age[:, None]), shape)
    # Below 10⁻¹⁵ somebody stays longer than whole numbers count.
    until_gone = random.geometric(np.maximum(random.beta(model.a, model.b + x, shape), 1e-15))
    alive = random.random(shape) < probability_alive(model, people)[:, None]
    bought = np.where(alive, np.minimum(random.poisson(rate * horizon), until_gone), 0)
    values, spent = gamma_gamma.posterior(worth, people)
    scale = random.gamma(values[:, None], 1 / spent[:, None], shape)
    return np.where(bought > 0, random.gamma(worth.p * np.maximum(bought, 1)) / scale, 0.0)


def _parameter_variance(function: Callable[[Floats], float], point: Floats, covariance: Floats) -> float:
    """Variance of a function of the parameters, from its slopes at the fit."""
    slopes = np.zeros(len(point))
    for index in np.flatnonzero(np.diag(covariance) != 0):
        step = np.zeros(len(point))
        step[index] = _SLOPE_STEP
        slopes[index] = (function(point + step) - function(point - step)) / (2 * _SLOPE_STEP)
    return float(slopes @ covariance @ slopes)


def _total(expected: float, variance: float) -> Total:
    return Total(expected, float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else None)
