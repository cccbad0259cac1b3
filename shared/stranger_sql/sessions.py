"""Locked sessions, kept warm for the next question on the same snapshot; a few, and none that may be damaged."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.duck import Duck
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlRun
from shared.stranger_sql.errors import KEEPS_SESSION
from shared.stranger_sql.locked import LockedDuck, open_locked

MAX_KEPT = 4
RENEW_BEFORE = timedelta(minutes=5)
"""A credential that ends sooner is not used for another run; it cannot be renewed behind the lock."""


@dataclass
class _Kept:
    """A session that is open or being opened, and how many run on it."""

    opening: threading.Lock = field(default_factory=threading.Lock)
    locked: LockedDuck | None = None
    users: int = 0


@dataclass
class LockedSessions:
    """Sessions by tenant, snapshot and what is hidden: two that differ in any of them never share one."""

    store: ObjectStore
    limits: SqlLimits
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _dropped: list[_Kept] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def lent(self, run: SqlRun) -> Iterator[tuple[LockedDuck, Duck]]:
        """A session and a connection of one's own to it. After an error that may have left something behind, nobody
        gets that session any more."""
        key, one = self._entered(run)
        try:
            with one.opening:
                if one.locked is None:
                    one.locked = open_locked(self.store, run.tenant, run.lake, run.statement.hidden, self.limits)
            cursor = one.locked.duck.cursor()
            try:
                yield one.locked, cursor
            finally:
                cursor.close()
        except BaseException as error:
            if not isinstance(error, KEEPS_SESSION):
                self._drop(key, one)
            raise
        finally:
            self._left(one)

    def close(self) -> None:
        """Close all that nobody runs on; the others when they are left."""
        with self._lock:
            self._dropped += self._kept.values()
            self._kept.clear()
            self._close_unused()

    def _entered(self, run: SqlRun) -> tuple[str, _Kept]:
        hidden = sorted((table, sorted(columns)) for table, columns in run.statement.hidden.items() if columns)
        key = repr((run.tenant, run.lake.snapshot_id, run.lake.committed_at, hidden))
        with self._lock:
            one = self._kept.get(key)
            if one is None or _ends_soon(one.locked):
                self._dropped += [] if one is None else [one]
                one = self._kept[key] = _Kept()
            self._kept.move_to_end(key)
            one.users += 1
            while len(self._kept) > MAX_KEPT:
                self._dropped.append(self._kept.popitem(last=False)[1])
            self._close_unused()
            return key, one

    def _drop(self, key: str, one: _Kept) -> None:
        with self._lock:
            if self._kept.get(key) is one:
                self._dropped.append(self._kept.pop(key))

    def _left(self, one: _Kept) -> None:
        with self._lock:
            one.users -= 1
            self._close_unused()

    def _close_unused(self) -> None:
        for one in [one for one in self._dropped if one.users == 0]:
            self._dropped.remove(one)
            if one.locked is not None:
                one.locked.close()


def _ends_soon(locked: LockedDuck | None) -> bool:
    return locked is not None and locked.expires_at is not None and locked.expires_at < datetime.now(UTC) + RENEW_BEFORE
