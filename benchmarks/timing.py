"""Timing several runs of the same work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def median_of(seconds: Sequence[float]) -> float:
    """The median, in seconds."""
    return statistics.median(seconds)


def share_of(seconds: Sequence[float], share: float) -> float:
    """The time that such a share of the runs does not pass."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times
