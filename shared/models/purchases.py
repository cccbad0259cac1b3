"""What customers will buy, once BG/NBD is fitted: expected purchases, discounted or not, and how far they scatter.

All follow from one picture. Somebody alive with x repeats at age T has λ ~ Gamma(r+x, α+T) and p ~ Beta(a, b+x); how
long ago the last purchase was only says whether they are alive. Given p, purchases end by the share
1 - (1 + p t/(α+T))^-(r+x), and over p a mean is taken; Fader, Hardie, Lee 2005, equation (10), is the same
in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from shared.models.beta_mean import beta_mean
from shared.models.bgnbd import BgNbd
from shared.models.histories import Floats, Histories, Ints

_CHUNK = 2048
_NO_CHANCE = 1e-9
"""Of more purchases than counted so far: rounding adds up to less, so counting ends."""
_LEGENDRE = np.polynomial.legendre.leggauss(12)
_NODES, _NODE_WEIGHTS = (_LEGENDRE[0] + 1) / 2, _LEGENDRE[1] / 2
_SHARES, _SHARE_WEIGHTS = 1 - (1 - _NODES) ** 3, 3 * (1 - _NODES) ** 2 * _NODE_WEIGHTS
"""Denser towards the end of the horizon, where somebody who buys a lot is certain to have bought the share before."""


def expected_purchases(model: BgNbd, people: Histories, alive: Floats, horizon: float, discount: float = 0.0) -> Floats:
    """Expected purchases within ``horizon`` from now, per row, each worth e^(-``discount`` × time until it).

    ``discount`` is a continuous rate per unit of time, see ``continuous_discount``.
    """

    def given_dropout(rate: float, waited: Floats, p: Floats) -> Floats:
        ends = -np.expm1(-rate * np.log1p(p * (horizon / waited)))
        if discount == 0:
            return ends / p
        # When in the horizon: share f of what is bought by its end is bought by s(f). Good to 10⁻⁵ over ten years.
        worth = np.zeros_like(ends)
        for share, weight in zip(_SHARES, _SHARE_WEIGHTS, strict=True):
            when = waited / p * np.expm1(-np.log1p(-share * ends) / rate)
            worth += weight * np.exp(-discount * when)
        return worth * ends / p

    return alive * _over_dropout(model, people, horizon, given_dropout)


def continuous_discount(per_year: float, year: float) -> float:
    """The continuous rate per unit of time of a rate per year (0.1 is 10 %), where a year has ``year`` units."""
    return float(np.log1p(per_year) / year)


def variance_of_purchases(model: BgNbd, people: Histories, alive: Floats, horizon: float, expected: Floats) -> Floats:
    """Var of the number of purchases within ``horizon``, per row, given the parameters."""

    def given_dropout(rate: float, waited: Floats, p: Floats) -> Floats:
        # E[Y(Y-1)] = 2 (1-p)/p² × P(a second Gamma-Poisson event), by λ integrated out.
        stretch = horizon / waited
        reach = p * stretch
        log_reach = np.log1p(reach)
        direct = -np.expm1(-rate * log_reach) - rate * reach * np.exp(-(rate + 1) * log_reach)
        small = sum(
            weight * node * np.exp(-(rate + 2) * np.log1p(reach * node))
            for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True)
        )
        # The difference loses all digits where little is bought, so there its integral is taken instead.
        second = np.where((rate + 2) * reach < 1, rate * (rate + 1) * stretch**2 * small, direct / p**2)
        return 2 * (1 - p) * second

    second = alive * _over_dropout(model, people, horizon, given_dropout)
    return np.maximum(second + expected - expected**2, 0.0)


def purchases_interval(
    model: BgNbd, people: Histories, alive: Floats, horizon: float, level: float
) -> tuple[Ints, Ints]:
    """The smallest numbers of purchases that are reached with (1 - level)/2 and (1 + level)/2, per row.

    From the exact distribution, given the parameters: Fader, Hardie, Lee 2005, equation (8), with the posterior's.
    """
    if not 0 < level < 1:
        raise ValueError("a level lies between 0 and 1")
    low, high = ((1 + side * level) / 2 for side in (-1, 1))
    return _quantile(model, people, alive, horizon, low), _quantile(model, people, alive, horizon, high)


def _over_dropout(
    model: BgNbd,
    people: Histories,
    horizon: float,
    given_dropout: Callable[[float, Floats, Floats], Floats],
) -> Floats:
    """The mean over p of somebody alive, per row; computed once for all of equal repeats and age."""
    if not 0 < horizon < np.inf:
        raise ValueError("the horizon is a positive, finite time")
    ages, age_of = np.unique(people.age, return_inverse=True)
    keys, row_of = np.unique(people.repeats * len(ages) + age_of, return_inverse=True)
    by_repeats, at_age = np.divmod(keys, max(len(ages), 1))
    waited = model.alpha + ages[at_age]
    result = np.empty(len(keys))
    borders = np.flatnonzero(np.diff(by_repeats, prepend=-1, append=-1))
    for start, stop in pairwise(borders.tolist()):
        x = int(by_repeats[start])
        rate = model.r + x
        for first in range(start, stop, _CHUNK):
            rows = slice(first, min(first + _CHUNK, stop))
            here = partial(given_dropout, rate, waited[rows, None])
            result[rows] = beta_mean(model.a, model.b + x, here)
    return result[row_of]


def _quantile(model: BgNbd, people: Histories, alive: Floats, horizon: float, share: float) -> Ints:
    """The smallest n with P(Y ≤ n) ≥ share. Counts up for all at once, dropping those that are there."""
    found = np.zeros(len(alive), dtype=np.int64)
    left = np.flatnonzero(1 - alive < share)
    rate, shape = model.r + people.repeats[left], model.b + people.repeats[left]
    waited = model.alpha + people.age[left]
    bought = np.log(horizon) - np.log(waited + horizon)
    log_count = -rate * np.log1p(horizon / waited)  # ln P(n Gamma-Poisson events)
    log_stays = np.zeros(len(left))  # ln of E[(1-p)^n]
    above = np.ones(len(left))  # P(n or more events)
    wanted = 1 - (1 - share) / alive[left]
    reached = np.zeros(len(left))
    n = 0
    while len(left):
        event = np.exp(log_count)
        reached += event * np.exp(log_stays)
        if n:
            reached += np.exp(log_stays + np.log(model.a) - np.log(shape + n - 1)) * above
        above = np.maximum(above - event, 0.0)
        done = (reached >= wanted) | (above <= _NO_CHANCE)
        found[left[done]] = n
        keep = ~done
        left, rate, shape, bought, wanted = left[keep], rate[keep], shape[keep], bought[keep], wanted[keep]
        reached, above = reached[keep], above[keep]
        log_stays = log_stays[keep] + np.log(shape + n) - np.log(model.a + shape + n)
        log_count = log_count[keep] + np.log(rate + n) - np.log(n + 1) + bought
        n += 1
    return found
