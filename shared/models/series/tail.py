"""How far errors may go before one in so many is beyond: learned from past errors, starting from the normal ones.

Two quantiles of them, neither of which anomalies move much, say where the tail begins and how long it is: beyond, it is
the normal tail stretched, or, where it is longer than that, exponential (peaks over threshold; Pickands 1975; Siffer,
Fouque, Termier, Largouet 2017).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import log
from statistics import NormalDist

_NORMAL = NormalDist()
_SHARE, _HALF = 0.1, 0.05
_EDGE = _NORMAL.inv_cdf(1 - _SHARE)
_REACH = _NORMAL.inv_cdf(1 - _HALF) - _EDGE
_KEPT = 1000
_EDGE_PRIOR, _REACH_PRIOR = 30.0, 100.0
"""Errors' worth of belief in the normal distribution."""
_LONG = 2.0
"""How fast a tail that is longer than the normal one is taken for exponential: wholly so at half as long again."""
_FEW = 12.0
_LEAST_EDGE = 0.5


class Tail:
    """One side. ``limit`` is what an error exceeds with this ``chance``, in sigmas that rest on ``known`` values."""

    def __init__(self, chance: float, known: int) -> None:
        self._chance = chance
        self._known = known
        self._past: deque[float] = deque()
        self._ordered: list[float] = []

    def learn(self, z: float) -> None:
        """One error, positive on this side."""
        if len(self._past) == _KEPT:
            del self._ordered[bisect_left(self._ordered, self._past.popleft())]
        self._past.append(z)
        insort(self._ordered, z)
        self._known += 1

    @property
    def limit(self) -> float:
        """In sigmas; wider while they rest on few values."""
        edge, reach, count = _EDGE, _REACH, len(self._past)
        if count:
            begins, half = self._quantile(1 - _SHARE), self._quantile(1 - _HALF)
            edge = (count * begins + _EDGE_PRIOR * _EDGE) / (count + _EDGE_PRIOR)
            reach = (count * (half - begins) + _REACH_PRIOR * _REACH) / (count + _REACH_PRIOR)
        normal = reach / _REACH * (_NORMAL.inv_cdf(1 - self._chance) - _EDGE)
        exponential = reach / log(_SHARE / _HALF) * log(_SHARE / self._chance)
        longer = min(max((reach / _REACH - 1) * _LONG, 0.0), 1.0)
        return (max(edge, _LEAST_EDGE) + (1 - longer) * normal + longer * exponential) * (1 + _FEW / self._known)

    def _quantile(self, share: float) -> float:
        at = share * (len(self._ordered) - 1)
        low, high = self._ordered[int(at)], self._ordered[min(int(at) + 1, len(self._ordered) - 1)]
        return low + (at - int(at)) * (high - low)
