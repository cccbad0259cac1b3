"""What the customer models know of people: repeats, time of the last, age, and mean value; equal people counted once.

The rule: one unit of time throughout, whatever it is; a repeat is a later day with a purchase, not a second order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories; ``customers`` says how many people (or how much weight) each stands for.

    ``last`` is the time of the last repeat and ``age`` the end of observation, both since the first purchase; ``value``
    is the mean value of repeats, zero where there is none. ``row_of`` has, per person given, the row that holds them:
    ``values[row_of]`` are values of rows as values of people.
    """

    repeats: Ints
    last: Floats
    age: Floats
    value: Floats
    customers: Floats
    row_of: Ints

    def some(self, rows: slice | Ints) -> Histories:
        """Only these rows, as if nobody else had been given."""
        columns = (self.repeats[rows], self.last[rows], self.age[rows], self.value[rows], self.customers[rows])
        return Histories(*columns, np.arange(len(columns[0])))


def histories(
    repeats: npt.ArrayLike,
    last: npt.ArrayLike,
    age: npt.ArrayLike,
    value: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> Histories:
    """Group people with equal histories. Raises ValueError for a history nobody can have."""
    x = np.asarray(repeats)
    columns = [np.asarray(column, dtype=np.float64) for column in (x, last, age, 0.0 if value is None else value)]
    columns = list(np.broadcast_arrays(*columns))
    _check(*columns[:3])
    distinct, row_of, first, counts = _distinct(columns)
    if weights is not None:
        given = np.broadcast_to(np.asarray(weights, dtype=np.float64), row_of.shape)
        if not np.all(np.isfinite(given) & (given > 0)):
            raise ValueError("weights are positive numbers")
        counts = np.bincount(row_of, weights=given, minlength=distinct)
    x, last, age, value = (column[first] for column in columns)
    return Histories(x.astype(np.int64), last, age, value, counts.astype(np.float64), row_of)


def _check(x: Floats, last: Floats, age: Floats) -> None:
    if x.ndim != 1:
        raise ValueError("columns of one length, one entry per customer")
    if not (np.all(np.isfinite(age)) and np.all(np.isfinite(last)) and np.all(np.isfinite(x))):
        raise ValueError("numbers must be finite")
    if np.any((x < 0) | (x != np.floor(x))):
        raise ValueError("repeats are whole numbers, zero or more")
    if np.any((last < 0) | (last > age)):
        raise ValueError("the last repeat lies between the first purchase and the end of observation")
    if np.any((x > 0) != (last > 0)):
        raise ValueError("the last repeat has a time exactly when there is a repeat")


def _distinct(columns: list[Floats]) -> tuple[int, Ints, Ints, Ints]:
    """Number of distinct rows, the one of each given row, where each is first, and how often it is there."""

    def joined(one: Ints, other: Ints) -> Ints:
        # Codes of whole rows: renumbered after every column, they stay below (number of rows)².
        return _codes(one * (int(other.max(initial=0)) + 1) + other)

    row_of = reduce(joined, map(_codes, columns))
    _, first, counts = np.unique(row_of, return_index=True, return_counts=True)
    return len(first), row_of, first.astype(np.int64), counts.astype(np.int64)


def _codes(column: Floats | Ints) -> Ints:
    """Each value as its number among the distinct ones."""
    codes: Ints = np.unique(column, return_inverse=True)[1].astype(np.int64)
    return codes
