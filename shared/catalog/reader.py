"""Reads a lake: a snapshot is pinned for a whole request, and the catalog is asked for news at most once per interval.

The rule: what a request began to read never changes under it; a lake that nobody reads any more is detached. No store
is asked while the lock is held: a slow one stops only the requests that need newer news than there are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.schema import create_lake
from shared.datasets.rules import DataRules
from shared.duck import Duck, UnreadableInputError, literal, quoted
from shared.errors import (
    AppError,
    EngineUnavailableError,
    ObjectNotFoundError,
    RulesNotKeptError,
    SnapshotNotFoundError,
)

log = logging.getLogger("teal.reader")

MAX_OLD_SESSIONS = 8
"""Older snapshots kept attached for the next request that names them."""

MAX_IDLE_CURSORS = 4
"""Connections kept for the next request on the same snapshot; making one costs half a millisecond."""


@dataclass(frozen=True)
class PinnedLake:
    """One snapshot of a lake, open for reading; table names resolve to it.

    ``seen_by`` is the digest of the rules under which it is seen, "" for the whole of it. ``lake_id`` tells the lake
    from any other, also from one that had its name before: a deleted tenant's, or one that was lost and restored.
    """

    duck: Duck
    alias: str
    snapshot_id: int
    committed_at: datetime
    seen_by: str = ""
    lake_id: str = ""

    def tables(self) -> frozenset[str]:
        """The names of all tables of this snapshot."""
        rows = self.duck.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = $alias", {"alias": self.alias}
        )
        return frozenset(row[0] for row in rows)


PinRestricted = Callable[[str, DataRules, int | None, datetime | None], AbstractContextManager[PinnedLake]]
"""Opens a snapshot of a tenant's lake as it may be seen under rules; see ``shared/restricted.py``."""


@dataclass
class _Session:
    alias: str
    copy: CatalogCopy
    snapshot_id: int
    committed_at: datetime
    lake_id: str
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)
    idle: list[Duck] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked:
    """The last time the store was asked: by whose wish, when, and how it went."""

    wanted: int = -1
    started_at: float = float("-inf")
    ended_at: float = float("-inf")
    failure: AppError | None = None

    def answers(self, wanted: int, is_open: bool, since: float) -> bool:
        """Whether what was got then will do for a wish, and is not from before ``since``."""
        return is_open and self.failure is None and self.wanted >= wanted and self.started_at > since


class LakeReader:
    """Sessions on one lake, shared by all threads of a process."""

    def __init__(
        self,
        catalog: Catalog,
        open_duck: Callable[[], Duck],
        *,
        freshness_seconds: float = 1.0,
        refresh_access: Callable[[Duck], None] = lambda duck: None,
        work_directory: Path | None = None,
    ) -> None:
        self._catalog = catalog
        self._open_duck = open_duck
        self._refresh_access = refresh_access
        self._freshness_seconds = freshness_seconds
        self._folder = Path(mkdtemp(prefix="teal-read-", dir=work_directory))
        self._lock = threading.RLock()
        self._duck: Duck | None = None
        self._sessions: dict[tuple[str, int | None], _Session] = {}
        self._current: _Session | None = None
        self._refreshing = threading.Lock()
        self._asked = _Asked()
        self._wanted = 0
        self._count = 0

    @contextmanager
    def pin(self, snapshot: int | None = None, as_of: datetime | None = None) -> Iterator[PinnedLake]:
        """The newest snapshot, or the one with that id, or the newest at that instant, until the block ends.

        Raises SnapshotNotFoundError, CatalogLostError, StoreUnavailableError, and from the block also
        EngineUnavailableError where a file of the lake is damaged.
        """
        session = self._enter(snapshot, as_of)
        try:
            cursor = self._cursor(session)
            try:
                yield PinnedLake(
                    cursor, session.alias, session.snapshot_id, session.committed_at, lake_id=session.lake_id
                )
            except UnreadableInputError as error:
                cursor.close()
                # Who asks has given no file, and the engine's own words name ours and may quote what is in them.
                log.error("the lake cannot be read", extra={"error": type(error.__cause__).__name__})
                raise EngineUnavailableError("The engine could not read the lake; asking again may help.") from error
            except BaseException:
                cursor.close()
                raise
            self._put_back(session, cursor)
        finally:
            self._leave(session)

    def current_snapshot(self) -> int:
        """The newest snapshot's id, at most ``freshness_seconds`` old; opens nothing when it is known."""
        return self.newest()[1]

    def newest(self) -> tuple[str, int]:
        """The lake's identity, and its newest snapshot's id as ``current_snapshot``."""
        self._freshen()
        with self._lock:
            session = self._newest()
            return session.lake_id, session.snapshot_id

    def refresh(self) -> None:
        """Ask for a newer catalog at the next read, whatever the interval says."""
        with self._lock:
            self._wanted += 1

    def close(self) -> None:
        """Close the engine and delete the local copies."""
        with self._lock:
            if self._duck is not None:
                self._duck.close()
            for session in self._sessions.values():
                _close_all(session.idle)
                session.copy.path.unlink(missing_ok=True)
            self._sessions.clear()
            self._duck = self._current = None

    def _engine(self) -> Duck:
        with self._lock:
            if self._duck is None:
                self._duck = self._open_duck()
            return self._duck

    def _cursor(self, session: _Session) -> Duck:
        """A connection on which table names resolve to the session's snapshot."""
        with self._lock:
            if session.idle:
                return session.idle.pop()
        cursor = self._engine().cursor()
        cursor.execute(f"USE {quoted(session.alias)}")
        return cursor

    def _put_back(self, session: _Session, cursor: Duck) -> None:
        with self._lock:
            if len(session.idle) < MAX_IDLE_CURSORS:
                session.idle.append(cursor)
                return
        cursor.close()

    def _enter(self, snapshot: int | None, as_of: datetime | None) -> _Session:
        self._freshen()
        with self._lock:
            session = self._newest()
            if as_of is not None:
                session = self._older(session, self._snapshot_at(session, as_of))
            elif snapshot is not None:
                session = self._older(session, snapshot)
            session.users += 1
            session.used_at = time.monotonic()
            return session

    def _leave(self, session: _Session) -> None:
        with self._lock:
            session.users -= 1
            self._drop_unused()

    def _newest(self) -> _Session:
        assert self._current is not None  # noqa: S101 - every read freshens first
        return self._current

    def _freshen(self) -> None:
        """Return once the catalog is fresh enough for a request that arrives now: one asks the store, others wait.

        Whoever waited is content with what arrived meanwhile: nobody can have newer news from a store this slow.
        """
        arrived = time.monotonic()
        with self._lock:
            wanted = self._wanted
            if self._asked.answers(wanted, self._current is not None, arrived - self._freshness_seconds):
                return
        with self._refreshing:
            with self._lock:
                asked = self._asked
                if asked.answers(wanted, self._current is not None, arrived - self._freshness_seconds):
                    return
                if asked.wanted >= wanted and asked.ended_at >= arrived:
                    if asked.failure is None:
                        return
                    raise type(asked.failure)(asked.failure.message, **asked.failure.details)
                wanted = self._wanted
            self._ask(wanted)

    def _ask(self, wanted: int) -> None:
        """Get the catalog if it has changed, without the lock, and make it the current one."""
        started = time.monotonic()
        try:
            copy = self._news()
        except AppError as failure:
            with self._lock:
                self._asked = _Asked(wanted, self._asked.started_at, time.monotonic(), failure)
            raise
        with self._lock:
            if copy is not None:
                self._current = self._open(copy, None)
                self._drop_unused()
            self._asked = _Asked(wanted, started, time.monotonic())

    def _news(self) -> CatalogCopy | None:
        current, duck = self._current, self._engine().cursor()
        try:
            self._refresh_access(duck)
            try:
                return self._catalog.fetch(self._folder, unless=current.copy.etag if current else "")
            except ObjectNotFoundError:
                if current is not None and not current.copy.etag:
                    return None
                # Nothing was ever written: an empty lake answers, and the next request looks again.
                path = self._folder / f"empty-{self._count}.ducklake"
                create_lake(duck, path, self._catalog.data_uri)
                return CatalogCopy(path, "")
        finally:
            duck.close()

    def _older(self, newest: _Session, snapshot: int) -> _Session:
        if snapshot == newest.snapshot_id:
            return newest
        known = self._sessions.get((newest.copy.etag, snapshot))
        if known is not None:
            return known
        alias = quoted(newest.alias)
        exists = self._engine().value(
            f"SELECT count(*) FROM {alias}.snapshots() WHERE snapshot_id = $snapshot AND snapshot_id > 0",
            {"snapshot": snapshot},
        )
        if not exists:
            raise SnapshotNotFoundError(f"There is no snapshot {snapshot}; it may have expired.", snapshot=snapshot)
        path = self._folder / f"{newest.alias}-{snapshot}.ducklake"
        path.write_bytes(newest.copy.path.read_bytes())
        return self._open(CatalogCopy(path, newest.copy.etag), snapshot)

    def _snapshot_at(self, newest: _Session, as_of: datetime) -> int:
        found = self._engine().value(
            f"SELECT max(snapshot_id) FROM {quoted(newest.alias)}.snapshots() "
            "WHERE snapshot_time <= $as_of AND snapshot_id > 0",
            {"as_of": as_of},
        )
        if found is None:
            raise SnapshotNotFoundError("The lake has no snapshot that old.")
        return int(found)

    def _open(self, copy: CatalogCopy, snapshot: int | None) -> _Session:
        duck = self._engine()
        self._count += 1
        alias = f"lake_{self._count}"
        duck.attach(copy.path, alias, self._catalog.data_uri, read_only=True, snapshot=snapshot)
        rows = duck.execute(
            f"SELECT snapshot_id, snapshot_time FROM {quoted(alias)}.snapshots() "
            f"WHERE {literal(snapshot)} IS NULL OR snapshot_id = {literal(snapshot)} ORDER BY snapshot_id DESC LIMIT 1"
        )
        # Made with the catalog, and of random bits.
        schemas = f"{quoted(f'__ducklake_metadata_{alias}')}.ducklake_schema"
        lake_id = str(duck.value(f"SELECT schema_uuid FROM {schemas} ORDER BY schema_id LIMIT 1"))
        session = _Session(alias, copy, int(rows[0][0]), rows[0][1], lake_id)
        self._sessions[(copy.etag, snapshot)] = session
        return session

    def _drop_unused(self) -> None:
        """Detach what nobody reads: former catalogs at once, old snapshots of the current one beyond the newest few."""
        idle = [s for s in self._sessions.items() if s[1].users == 0 and s[1] is not self._current]
        stale = [item for item in idle if self._current is None or item[0][0] != self._current.copy.etag]
        old = sorted((item for item in idle if item not in stale), key=lambda item: item[1].used_at)
        for name, session in stale + old[: max(0, len(old) - MAX_OLD_SESSIONS)]:
            del self._sessions[name]
            _close_all(session.idle)
            self._engine().detach(session.alias)
            session.copy.path.unlink(missing_ok=True)


def pinned(
    reader_of: Callable[[str], LakeReader],
    restricted: PinRestricted | None,
    tenant: str,
    rules: DataRules,
    *,
    snapshot: int | None,
    as_of: datetime | None,
) -> AbstractContextManager[PinnedLake]:
    """``LakeReader.pin`` of a tenant's lake, as it may be seen under rules.

    Raises RulesNotKeptError where nothing can keep them.
    """
    if not rules:
        return reader_of(tenant).pin(snapshot, as_of)
    if restricted is None:
        raise RulesNotKeptError("Keys with rules are not served here.")
    return restricted(tenant, rules, snapshot, as_of)


def _close_all(cursors: list[Duck]) -> None:
    while cursors:
        cursors.pop().close()
