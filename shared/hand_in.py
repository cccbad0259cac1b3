"""Hands what a process gathered to the lake's store: one object at a time, with the same key and bytes at every try.

The rule: nothing here raises, and a store that was silent is left alone for a while. What could not be handed in for a
day is given up, and the log says how much that was.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.storage.base import ObjectStore

WAIT_SECONDS = 60.0
"""After the store was silent."""
LAST_WAIT_SECONDS = 5.0
"""For the put of another thread, at the end of a process."""
KEEP_SECONDS = 86_400.0
"""Well before whoever takes the objects forgets that it may have seen one."""


@dataclass(frozen=True)
class Batch:
    """An object to be put, so that one which landed unseen counts once; ``holds`` is how much goes if it is lost."""

    key: str
    body: bytes
    holds: int
    made_at: float


class ProcessName:
    """A name that no other process has: made when it is first asked for, since a server may fork after it started."""

    def __init__(self) -> None:
        self._name = ""

    def __str__(self) -> str:
        self._name = self._name or secrets.token_hex(6)
        return self._name


class HandIn:
    """Puts what ``take`` gives, which may be nothing; ``what`` and ``unit`` are the log's words for it."""

    def __init__(
        self,
        store: ObjectStore,
        take: Callable[[], Batch | None],
        log: logging.Logger,
        *,
        what: str,
        unit: str,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._take = take
        self._log = log
        self._what = what
        self._unit = unit
        self._wait_seconds = wait_seconds
        self._putting = threading.Lock()
        self._pending: Batch | None = None
        self._not_before = 0.0

    @property
    def rests(self) -> bool:
        """The store was silent a moment ago."""
        return time.time() < self._not_before

    @property
    def is_pending(self) -> bool:
        """Something was taken that the store has not got yet."""
        return self._pending is not None

    def put_next(self, patience_seconds: float = 0.0) -> bool:
        """Put one object; returns whether the store took it."""
        if not self._putting.acquire(timeout=patience_seconds):
            return False
        try:
            self._pending = self._pending or self._take()
            return self._pending is not None and self._put(self._pending)
        finally:
            self._putting.release()

    def put_all(self) -> None:
        """Put everything there is, until the store does not take one; for the end of a process."""
        self._not_before = 0.0
        while self.put_next(patience_seconds=LAST_WAIT_SECONDS):
            pass

    def lost(self, how_much: int) -> None:
        """Say that something is gone for good."""
        self._log.error("%s lost", self._what, extra={self._unit: how_much})

    def _put(self, batch: Batch) -> bool:
        try:
            self._store.put(batch.key, batch.body, content_type="application/gzip")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, requests go on being answered
            told = {"object_key": batch.key, "error": type(error).__name__}
            self._log.warning("%s was not handed in", self._what, extra=told)
            self._not_before = time.time() + self._wait_seconds
            if time.time() - batch.made_at > KEEP_SECONDS:
                self.lost(batch.holds)
                self._pending = None
            return False
        self._pending = None
        self._not_before = 0.0
        return True
