"""What is true of a snapshot stays true: answers about one are kept, a bounded number of them, for all threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from shared.catalog.reader import PinnedLake

T = TypeVar("T")
_Key = tuple[str, str, int, datetime]


@dataclass
class Remembered(Generic[T]):
    """The last ``size`` values, one per tenant and snapshot, and as whoever asks may see it."""

    size: int = 64
    _values: OrderedDict[_Key, T] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, tenant: str, lake: PinnedLake, make: Callable[[PinnedLake], T]) -> T:
        """The value for this snapshot, made when it is not there; it must depend on the snapshot alone."""
        # The time belongs to the key: a lake that was restored counts on from an older snapshot.
        key = (tenant, lake.seen_by, lake.snapshot_id, lake.committed_at)
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make(lake)
        with self._lock:
            self._values[key] = value
            while len(self._values) > self.size:
                self._values.popitem(last=False)
        return value
