"""Values that nothing around them explains, brought nearer before a model learns from them.

The rule: ordinary values stay as they are, and how good a model was is told by the values as they came.
"""

from __future__ import annotations

import numpy as np

from shared.models.histories import Floats

_NEIGHBOURS = 2
"""To each side, of the same place in the season."""
_FAR = 25.0
"""Robust standard deviations: a Black Friday is at the edge of it."""


def tamed(values: Floats, season: int) -> Floats:
    """No farther than 25 robust standard deviations from the median of five seasons around, at the same place."""
    rows = -(-len(values) // season)
    if rows < 2 * _NEIGHBOURS + 1:
        return values
    table = np.full((rows + 2 * _NEIGHBOURS, season), np.nan)
    flat = table.reshape(-1)
    flat[_NEIGHBOURS * season : _NEIGHBOURS * season + len(values)] = values
    around = np.lib.stride_tricks.sliding_window_view(table, 2 * _NEIGHBOURS + 1, axis=0)
    ordered, known = np.sort(around, axis=2), np.isfinite(around).sum(axis=2)  # what is not known comes last
    middle = np.stack([(known - 1) // 2, known // 2], axis=2)
    usual = np.take_along_axis(ordered, middle.clip(0, 2 * _NEIGHBOURS), axis=2).mean(axis=2).ravel()[: len(values)]
    off = values - usual
    sigma = 1.4826 * float(np.median(np.abs(off)))
    far = np.abs(off) > _FAR * sigma
    return np.where(far, usual + np.sign(off) * _FAR * sigma, values) if sigma > 0 else values
