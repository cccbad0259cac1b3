"""BG/NBD: how often customers come back and whether they still will (Fader, Hardie, Lee 2005, Marketing Science 24(2)).

While alive a customer buys at a rate λ, Gamma(r, α) over customers, and leaves after a purchase with probability p,
Beta(a, b) over customers. Somebody without a repeat cannot have left: the model says P(alive) = 1 for them.
The rule: everything is computed in logarithms; x of a hundred thousand is a number like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats, Histories


@dataclass(frozen=True)
class BgNbd:
    """The four parameters; ``alpha`` is in the unit of time of the histories, the others have none."""

    r: float
    alpha: float
    a: float
    b: float


def log_likelihood(model: BgNbd, people: Histories) -> float:
    """Of all customers, equation (6); comparable with other fits in the same unit of time only."""
    return Likelihood(people).value(model)


def probability_alive(model: BgNbd, people: Histories) -> Floats:
    """P(alive at ``age``), per row; 1 without a repeat (Fader, Hardie, Lee 2008, computing P(alive))."""
    repeats, has_repeat = people.repeats, people.repeats > 0
    more = np.where(has_repeat, repeats, 1)
    log_odds = np.log(model.a) - np.log(model.b + more - 1)
    log_odds = log_odds + (model.r + repeats) * (
        np.log1p(people.age / model.alpha) - np.log1p(people.last / model.alpha)
    )
    return np.where(has_repeat, _logistic(-log_odds), 1.0)


def probability_of_purchase(model: BgNbd, people: Histories, alive: Floats, horizon: float) -> Floats:
    """P(at least one purchase within ``horizon`` from now), per row."""
    buys: Floats = -np.expm1(-(model.r + people.repeats) * np.log1p(horizon / (model.alpha + people.age)))
    return alive * buys


class Likelihood:
    """The log-likelihood and its gradient, with everything summed beforehand that no parameter touches.

    Γ(r+x)/Γ(r) and B(a, b+x)/B(a, b) are products over k < x, because x is whole: neither value nor gradient needs a
    gamma function, and nothing cancels however large the parameters are.
    """

    def __init__(self, people: Histories) -> None:
        weights, repeats = people.customers, people.repeats
        by_repeats = np.bincount(repeats, weights=weights)
        self._more_than = np.cumsum(by_repeats[::-1])[::-1][1:]  # customers with more than k repeats
        self._k = np.arange(len(self._more_than), dtype=np.float64)
        self._ages, age_of = np.unique(people.age, return_inverse=True)
        self._at_age = np.bincount(age_of, weights=weights)
        self._repeats_at_age = np.bincount(age_of, weights=weights * repeats)
        again = repeats > 0
        self._lasts, self._last_of = np.unique(people.last[again], return_inverse=True)
        self._age_of = age_of[again]
        self._repeats = repeats[again]
        self._weights = weights[again]
        self._weighted_repeats = self._weights * self._repeats

    def value(self, model: BgNbd) -> float:
        """The log-likelihood."""
        log_odds = self._log_odds(model)[0]
        return self._smooth(model) + float(self._weights @ np.logaddexp(0.0, log_odds))

    def gradient(self, model: BgNbd) -> Floats:
        """By r, α, a, b."""
        r, alpha, a, b = model.r, model.alpha, model.a, model.b
        log_odds, stretch = self._log_odds(model)
        gone = self._weights * _logistic(log_odds)
        gone_repeats = gone * (r + self._repeats)
        k, more, ages, lasts = self._k, self._more_than, self._ages, self._lasts
        by_age = np.bincount(self._age_of, weights=gone_repeats, minlength=len(ages))
        by_last = np.bincount(self._last_of, weights=gone_repeats, minlength=len(lasts))
        of_beta = float(more @ (1 / (a + b + k)))
        return np.array(
            [
                more @ (1 / (r + k)) - self._at_age @ np.log1p(ages / alpha) + gone @ stretch,
                (self._at_age @ (r * ages / (alpha + ages))) / alpha
                - self._repeats_at_age @ (1 / (alpha + ages))
                + by_age @ (1 / (alpha + ages))
                - by_last @ (1 / (alpha + lasts)),
                gone.sum() / a - of_beta,
                more @ (1 / (b + k)) - of_beta - gone @ (1 / (b + self._repeats - 1)),
            ]
        )

    def _smooth(self, model: BgNbd) -> float:
        """The part that says nothing of who left."""
        k = self._k
        counts = np.log(model.r + k) + np.log(model.b + k) - np.log(model.a + model.b + k)
        ages = model.r * self._at_age @ np.log1p(self._ages / model.alpha)
        return float(self._more_than @ counts - ages - self._repeats_at_age @ np.log(model.alpha + self._ages))

    def _log_odds(self, model: BgNbd) -> tuple[Floats, Floats]:
        """Log odds of having left, per row with a repeat, and the logarithm of (α+T)/(α+t_x) in them."""
        stretch = np.log1p(self._ages / model.alpha)[self._age_of] - np.log1p(self._lasts / model.alpha)[self._last_of]
        by_repeats = np.log(model.a) - np.log(model.b + self._k)  # at x - 1
        return by_repeats[self._repeats - 1] + (model.r + self._repeats) * stretch, stretch


def _logistic(values: Floats) -> Floats:
    share: Floats = np.exp(-np.logaddexp(0.0, -values))
    return share
