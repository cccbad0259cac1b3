"""Simple exponential smoothing of several series at once, each to its own end with its own best α."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats, Ints
from shared.models.series.smoothing import Columns, smooth

_ALPHAS = np.array([0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])


@dataclass(frozen=True)
class Levels:
    """One entry or column per series: the last level, α, and what was expected of each value one step before."""

    level: Floats
    alpha: Floats
    fitted: Floats


def smoothed_levels(values: Floats, ends: Ints, skip: int) -> Levels:
    """Of columns of ``values`` up to their ends, ascending; α has the least squares after ``skip`` values.

    The first level is the mean of the first ones.
    """
    series = np.repeat(np.arange(len(ends)), len(_ALPHAS))
    first = values[: max(skip, 2)].mean(axis=0)
    columns = _columns(ends[series], np.tile(_ALPHAS, len(ends)), first[series])
    squares = smooth(values[:, series], columns, skip=skip).squares.reshape(len(ends), -1)
    alpha = _ALPHAS[squares.argmin(axis=1)]
    end = smooth(values, _columns(ends, alpha, first), keep_fitted=True)
    return Levels(end.level, alpha, end.fitted)


def _columns(ends: Ints, alpha: Floats, level: Floats) -> Columns:
    none = np.zeros(len(ends))
    return Columns(ends, alpha, none, none, np.ones(len(ends)), level, none, np.zeros((1, len(ends))))
