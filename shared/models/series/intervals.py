"""Prediction intervals: how far one step was off, how that grows with the steps, and whether the hold-out agrees.

    bounds(h) = ŷ(T+h) + q σ size(h) growth(h) κ(h)

σ and the quantiles q are those of the method's one-step errors, wider for few of them; size is the forecast's where the
errors grow with the level of the series, else 1; growth is the method's own; κ corrects all that by the errors of the
rolling hold-out, believed as far as there are independent ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats
from shared.models.normal import two_sided
from shared.models.series.backtest import HoldOut, errors
from shared.models.series.past import Past, Projection

_FLOOR = 0.1
"""Of the mean size: where less is expected, errors are as large as there."""
_FARTHEST = 6.0
"""Sigmas, by the median, as which an error counts that is farther out: one sale of a lifetime says little of others."""
_SHAPE_PRIOR = 8.0
"""Errors beyond a bound that must be expected among those seen before the bound is theirs rather than the normal's."""
_HOLD_OUT_PRIOR = 3.0
"""Independent hold-outs that are worth as much as the belief that the past errors say it all."""


@dataclass(frozen=True)
class _Noise:
    """Standard deviation of one step relative to ``size``."""

    sigma: float
    shape: Floats  # errors in sigmas
    relative: bool
    floor: float

    def size(self, expected: Floats) -> Floats:
        return np.maximum(np.abs(expected), self.floor) if self.relative else np.ones_like(expected)


def bounds(
    past: Past, found: Sequence[Projection], hold: HoldOut, levels: Sequence[float]
) -> dict[float, tuple[Floats, Floats]]:
    """Lower and upper by level, for the last of the projections; the others are those of the hold-out."""
    last = found[-1]
    noise = _noise(past.known(past.origins[-1]), last)
    reach = noise.sigma * noise.size(last.point) * last.growth * _correction(past, found, hold, noise)
    made = {}
    for level in levels:
        low, high = _quantiles(noise.shape, level)
        made[level] = (last.point + low * reach, last.point + high * reach)
    return made


def _noise(known: Floats, last: Projection, relative: bool | None = None) -> _Noise:
    told = np.isfinite(last.fitted)
    fitted, error = last.fitted[told], (known - last.fitted)[told]
    floor = _FLOOR * float(np.mean(np.abs(known)))
    plain = _scaled(error, np.ones_like(error), last.parameters)
    if relative is False or floor <= 0 or known.min() < 0 or not error.any():
        return _Noise(*plain, False, floor)
    size = np.maximum(np.abs(fitted), floor)
    scaled = _scaled(error, size, last.parameters)
    # The likelier of the two, by the normal's log-likelihood.
    grows = np.log(scaled[0]) + np.log(size).mean() < np.log(plain[0])
    return _Noise(*scaled, True, floor) if grows or relative else _Noise(*plain, False, floor)


def _scaled(error: Floats, size: Floats, parameters: int) -> tuple[float, Floats]:
    """Standard deviation of the next error, and the past ones in it.

    Past errors are too small, by the parameters that were fitted to them, and the next one is larger for the same.
    """
    ratio = error / size
    count = len(ratio)
    typical = 1.4826 * float(np.median(np.abs(ratio))) if count else 0.0
    if typical > 0:
        ratio = np.clip(ratio, -_FARTHEST * typical, _FARTHEST * typical)
    sigma = float(np.sqrt(np.mean(ratio**2))) if count else 0.0
    shape = ratio / sigma if sigma > 0 else np.zeros(0)
    free = max(count - parameters, count / 3, 1)
    return sigma * float(np.sqrt((count + parameters) / free)), shape


def _quantiles(shape: Floats, level: float) -> tuple[float, float]:
    """In sigmas: between those of the errors seen and of the normal distribution, wider for few errors (t, about)."""
    wide = two_sided(level)
    count = len(shape)
    wide *= 1 + (wide**2 + 1) / (4 * max(count, 2))  # Cornish-Fisher's first term for t
    if not count:
        return -wide, wide
    low, high = np.quantile(shape, [(1 - level) / 2, (1 + level) / 2])
    trust = count / (count + _SHAPE_PRIOR / (1 - level))
    return trust * min(low, 0.0) - (1 - trust) * wide, trust * max(high, 0.0) + (1 - trust) * wide


def _correction(past: Past, found: Sequence[Projection], hold: HoldOut, noise: _Noise) -> Floats:
    """Per step, what the errors of the hold-out were over what they should have been."""
    before = found[: len(hold.origins)]
    off = errors(past, before, hold)
    scale = np.array(
        [
            one_noise.sigma * one_noise.size(one.point[: hold.steps]) * one.growth[: hold.steps]
            for origin, one in zip(hold.origins, before, strict=True)
            for one_noise in [_noise(past.known(origin), one, noise.relative)]
        ]
    )
    steps = past.horizon
    if not (scale > 0).all() or not len(noise.shape):
        return np.ones(steps)
    usual = float(np.mean(np.abs(noise.shape)))
    ratio = np.minimum(np.abs(off / scale), _FARTHEST).mean(axis=0) / usual
    # As many independent ones as horizons fit between the first origin and the end; more of the early steps.
    span = past.origins[-1] - hold.origins[0]
    windows = np.minimum(len(hold.origins), span / np.arange(1, hold.steps + 1))
    weight = np.cumsum(windows) / np.arange(1, hold.steps + 1)
    smooth = np.cumsum(ratio * windows) / np.cumsum(windows)
    # Early steps have a say in later ones, but what has grown by the end shows at the end.
    local = np.convolve(np.pad(ratio, (2, 2), mode="edge"), np.full(5, 0.2), mode="valid")
    believed = np.sqrt(smooth * local)
    trust = weight / (weight + _HOLD_OUT_PRIOR)
    factor = np.exp(trust * np.log(np.clip(believed, 0.5, 4.0)))
    factor = np.clip(factor, 0.95, 3.5)
    return np.concatenate([factor, np.full(max(steps - hold.steps, 0), factor[-1])])[:steps]
