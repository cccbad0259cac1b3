"""How often, and how many at once, a key and a tenant may ask in this process; more is refused before it costs much.

The rule: nothing waits here. What one tenant sends too often takes no place and no time of another.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from shared.errors import TooManyAtOnceError

BURST_SECONDS = 10.0
"""As many requests as that time allows may come at once."""

MAX_BUCKETS = 10_000
"""Keys and tenants whose pace is remembered; the one that was quiet longest is forgotten, and starts afresh."""


@dataclass(frozen=True)
class Pace:
    """One limit of requests: whose it is, as a name of a policy and what it counts by, and how many a second."""

    policy: str
    counted_by: str
    per_second: float

    @property
    def burst(self) -> int:
        """How many may come at once, and then as many in every ``BURST_SECONDS``."""
        return max(1, math.floor(self.per_second * BURST_SECONDS))

    @property
    def window_seconds(self) -> int:
        """The time in which a whole burst comes back."""
        return max(1, math.ceil(self.burst / self.per_second))


@dataclass(frozen=True)
class Standing:
    """What is left of a pace: as many requests at once, and the seconds until all of it is back.

    ``wait_seconds`` is 0 for a request that was let in, else how long to wait until one is.
    """

    pace: Pace
    remaining: int
    reset_seconds: int
    wait_seconds: int = 0

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy as the IETF's draft of RateLimit header fields (version 10) writes them."""
        pace = self.pace
        return {
            "RateLimit-Policy": f'"{pace.policy}";q={pace.burst};w={pace.window_seconds}',
            "RateLimit": f'"{pace.policy}";r={self.remaining};t={self.reset_seconds}',
        }


class Throttle:
    """Token buckets, one for each who asks; for all threads of a process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._running: Counter[str] = Counter()

    def take(self, *paces: Pace) -> Standing | None:
        """Count one request by every pace; the standing of the one with the least left. None where there is no pace.

        Where one of them has none left, its standing says how long to wait, and nothing is counted.
        """
        now = self._now()
        with self._lock:
            levels = [self._level(pace, now) for pace in paces]
            for pace, level in zip(paces, levels, strict=True):
                if level < 1:
                    return replace(_standing(pace, level), wait_seconds=math.ceil((1 - level) / pace.per_second))
            for pace, level in zip(paces, levels, strict=True):
                self._buckets[pace.counted_by] = (level - 1, now)
                self._buckets.move_to_end(pace.counted_by)
            while len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        left = [_standing(pace, level - 1) for pace, level in zip(paces, levels, strict=True)]
        return min(left, key=lambda one: one.remaining, default=None)

    @contextmanager
    def running(self, *places: tuple[str, int | None]) -> Iterator[None]:
        """While the block runs, one more is answered for each (counted by, how many at once); None is without end.

        Raises TooManyAtOnceError.
        """
        with self._lock:
            if any(most is not None and self._running[counted_by] >= most for counted_by, most in places):
                raise TooManyAtOnceError("Too many requests are answered at once; wait for one of them.")
            for counted_by, _ in places:
                self._running[counted_by] += 1
        try:
            yield
        finally:
            with self._lock:
                for counted_by, _ in places:
                    self._running[counted_by] -= 1
                    if not self._running[counted_by]:
                        del self._running[counted_by]

    def _level(self, pace: Pace, now: float) -> float:
        level, at = self._buckets.get(pace.counted_by, (float(pace.burst), now))
        return min(float(pace.burst), level + (now - at) * pace.per_second)


def _standing(pace: Pace, level: float) -> Standing:
    left = max(0, math.floor(level))
    return Standing(pace, left, math.ceil((pace.burst - level) / pace.per_second))
