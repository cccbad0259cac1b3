"""Places in a season in which nothing ever happens: Sundays, nights.

The rule: closed is a place that has been zero for so long that chance does not explain it, going by how often the
places that are open are zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.models.histories import Floats, Ints

_CHANCE = 0.002
"""Of this many zeros in a row in a place that is as open as the others."""
_LEAST_RUN = 4
"""Zeros in a row for a place that was open before; fewer are a holiday."""


def closed_places(count: Ints, zeros: Ints, run: Ints) -> npt.NDArray[np.bool_]:
    """Per place: how many values there were, how many zeros, how many of them at the end. None where all would be."""
    closed = run >= np.where(run == count, 2, _LEAST_RUN)
    share = (int(zeros[~closed].sum()) + 0.5) / (int(count[~closed].sum()) + 1)
    closed &= share ** run.astype(np.float64) < _CHANCE
    return closed & ~closed.all()


def closed_phases(values: Floats, season: int) -> tuple[int, ...]:
    """Places (index modulo ``season``) that are closed at the end of ``values``."""
    places = [values[place::season] for place in range(season)]
    count = np.array([len(one) for one in places])
    zeros = np.array([np.count_nonzero(one == 0) for one in places])
    run = np.array([_zeros_at_end(one) for one in places])
    return tuple(np.flatnonzero(closed_places(count, zeros, run)).tolist())


def open_places(length: int, season: int, closed: tuple[int, ...]) -> Ints:
    """The indices below ``length`` that are not closed."""
    index = np.arange(length)
    return index[~np.isin(index % season, closed)]


def _zeros_at_end(values: Floats) -> int:
    other = np.flatnonzero(values)
    return len(values) - (int(other[-1]) + 1 if len(other) else 0)
