"""``AskQuestion`` for one worker, which another thread can stop whatever it is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from shared.asked import Asked
from shared.catalog.reader import PinnedLake
from shared.duck import Duck
from shared.query import AskQuestion


@dataclass(frozen=True)
class StoppableAsk(AskQuestion):
    """Asks as ``AskQuestion`` does; ``end_cells`` ends the cells of ``run_stranger``, which is this worker's alone."""

    end_cells: Callable[[], None] = lambda: None
    _busy: list[Duck] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, ask: AskQuestion, end_cells: Callable[[], None]) -> Self:
        """What asks as that one does."""
        return cls(**vars(ask), end_cells=end_cells)

    def stop(self) -> None:
        """What is asked now ends soon, with some error; where nothing is asked, nothing happens."""
        self.end_cells()
        with self._lock:
            for duck in self._busy:
                duck.connection.interrupt()

    @contextmanager
    def _pinned(self, asked: Asked, snapshot: int | None, as_of: datetime | None) -> Iterator[PinnedLake]:
        with super()._pinned(asked, snapshot, as_of) as lake:
            with self._lock:
                self._busy.append(lake.duck)
            try:
                yield lake
            finally:
                # An interrupt that comes late would stop what the connection does next.
                with self._lock:
                    self._busy.remove(lake.duck)
