"""What was looked up lately: a bounded number of answers, each for a bounded time, for all threads of a process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The last ``size`` values by name, each for ``seconds`` at most; the oldest goes first."""

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        with self._lock:
            entry = self._entries.get(name)
            return entry is not None and time.monotonic() < entry[0]

    def get(self, name: str) -> T | None:
        """The value, or None when there is none that is recent enough."""
        with self._lock:
            entry = self._entries.get(name)
            return entry[1] if entry is not None and time.monotonic() < entry[0] else None

    def put(self, name: str, value: T, *, seconds: float | None = None) -> None:
        """Keep a value, for ``seconds`` if that is less than usual."""
        kept_for = self._seconds if seconds is None else min(seconds, self._seconds)
        with self._lock:
            self._entries[name] = (time.monotonic() + kept_for, value)
            self._entries.move_to_end(name)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def forget(self, name: str) -> None:
        """Look it up again next time."""
        with self._lock:
            self._entries.pop(name, None)
