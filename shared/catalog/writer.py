"""Commits to a lake: one transaction on a copy of the catalog, then compare-and-swap; again when the race was lost.

The rule: a commit is in the lake exactly once or not at all, whatever fails in between. Each commit carries an id, so a
writer that does not know whether its put landed reads the catalog again and looks for it. A commit that took too long
is not published: its first data files, nobody's until then, may have been deleted by maintenance.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.schema import bring_up_to_date, create_lake, lacking
from shared.duck import Duck
from shared.errors import (
    CatalogContendedError,
    ConflictError,
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreUnavailableError,
)

log = logging.getLogger("teal.catalog")
T = TypeVar("T")

LAKE = "lake"
"""The alias under which a change sees the lake."""


Renew = Callable[["Change", frozenset[str]], None]
"""Fills tables, named as `schema.table`, that a lake or a snapshot of an earlier version did not have."""


class CommitTooLateError(ConflictError):
    """The commit took so long that its first files may be gone, so it was not published."""

    code = "commit_too_late"


class NothingToCommit(Exception):  # noqa: N818 - a way out of a change, not an error
    """Raised by a change that found its work already done; ``result`` is what the commit returns."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


@dataclass
class Look:
    """The newest catalog at some moment, attached; the first commit that is given it takes it over."""

    copy: CatalogCopy
    attached: bool = True


@dataclass
class Change:
    """What a change may say about itself, kept with its snapshot.

    ``as_looked`` says that the lake is exactly as it was at the look: what was found there need not be asked again.
    ``renew`` is the writer's.
    """

    duck: Duck
    as_looked: bool = False
    message: str = ""
    renew: Renew = lambda change, tables: None
    tables: dict[str, dict[str, int]] = field(default_factory=dict)

    def touched(self, table: str, *, added: int = 0, removed: int = 0) -> None:
        """Count rows added to and removed from a table by this commit."""
        if added or removed:
            counts = self.tables.setdefault(table, {"added": 0, "removed": 0})
            counts["added"] += added
            counts["removed"] += removed


@dataclass(frozen=True)
class Committed(Generic[T]):
    """What a change returned and the snapshot that holds it; ``changed`` is False when there was nothing to commit."""

    result: T
    snapshot_id: int
    changed: bool
    attempts: int


@dataclass(frozen=True)
class LakeWriter:
    """Runs changes against one lake, each as one commit.

    ``open_duck`` gives a session with fresh store credentials for commits that stage nothing themselves.
    ``max_seconds`` bounds a commit from before its first data file to its put: half of the grace that maintenance gives
    to files nobody needs, so that the other half is left for the put. ``clock`` is the wall clock in seconds, since
    monotonic ones stand still while a machine sleeps. ``renew`` fills the tables, as `schema.table`, that a lake of an
    earlier version lacked, in the commit that adds them, and those a rollback finds lacking.
    """

    catalog: Catalog
    open_duck: Callable[[], Duck]
    attempts: int = 30
    work_directory: Path | None = None
    max_seconds: float = 12 * 3600.0
    clock: Callable[[], float] = time.time
    renew: Renew = lambda change, tables: None

    @contextmanager
    def look(self, duck: Duck) -> Iterator[Look]:
        """Attach the newest catalog as ``lake`` for the block, or until a commit of ``duck`` takes it over."""
        with TemporaryDirectory(prefix="teal-look-", dir=self.work_directory) as folder:
            look = Look(self._attach(duck, Path(folder), self._copy(duck, Path(folder))))
            try:
                yield look
            finally:
                if look.attached:
                    duck.detach(LAKE)

    def commit(
        self, author: str, change: Callable[[Change], T], *, duck: Duck | None = None, look: Look | None = None
    ) -> Committed[T]:
        """Run ``change`` in one transaction on the newest catalog and publish it.

        ``change`` runs again from the start after a lost race, so it must only write through its ``Change.duck``; pass
        ``duck`` when it needs tables staged there before, and its ``look`` if there is one. Every data file must be put
        into the lake by ``change``, not before. Raises CatalogContendedError after ``attempts`` lost races,
        CommitTooLateError after ``max_seconds``, and whatever ``change`` raises; nothing is committed then.
        """
        started = self.clock()
        commit_id = uuid.uuid4().hex
        session = duck or self.open_duck()
        with TemporaryDirectory(prefix="teal-commit-", dir=self.work_directory) as folder:
            for attempt in range(1, self.attempts + 1):
                copy, as_looked = self._attached(session, Path(folder), look)
                try:
                    told = Change(session, as_looked, renew=self.renew)
                    committed = self._attempt(told, author, commit_id, change, attempt)
                except NothingToCommit as nothing:
                    return nothing.result  # type: ignore[return-value]  # built by _attempt with the right type
                try:
                    self._refuse_late(started)
                    self.catalog.swap(copy.path, etag=copy.etag)
                    return committed
                except PreconditionFailedError:
                    log.info("commit lost a race", extra={"attempt": attempt, "author": author})
                except StoreUnavailableError:
                    log.warning("commit outcome unknown, looking", extra={"attempt": attempt, "author": author})
                    _pause(attempt)
                    if (snapshot_id := self._find(session, Path(folder), commit_id)) is not None:
                        return Committed(committed.result, snapshot_id, True, attempt)
                finally:
                    copy.path.unlink(missing_ok=True)
                _pause(attempt)
        raise CatalogContendedError("Too many writers at once; the same request may succeed in a moment.")

    def _attached(self, duck: Duck, folder: Path, look: Look | None) -> tuple[CatalogCopy, bool]:
        """The newest catalog, attached, and whether it is the one of the look, so that nothing was fetched."""
        newer = None
        if look is not None and look.attached:
            with suppress(ObjectNotFoundError):
                newer = self.catalog.fetch(folder, unless=look.copy.etag)
                if newer is None:
                    look.attached = False
                    return look.copy, True
            duck.detach(LAKE)
            look.attached = False
        return self._attach(duck, folder, newer or self._copy(duck, folder)), False

    def _attach(self, duck: Duck, folder: Path, copy: CatalogCopy) -> CatalogCopy:
        """Attach a copy, or the one that has taken its place with all that this version of the code needs."""
        duck.attach(copy.path, LAKE, self.catalog.data_uri, read_only=False)
        while missing := lacking(duck, LAKE):
            copy = self._renewed(duck, folder, copy, missing)
            duck.attach(copy.path, LAKE, self.catalog.data_uri, read_only=False)
        return copy

    def _renewed(
        self, duck: Duck, folder: Path, copy: CatalogCopy, missing: Mapping[str, frozenset[str]]
    ) -> CatalogCopy:
        """Publish the attached lake with what it lacks, unless another writer was faster; the newest copy then."""

        def change(change: Change) -> None:
            bring_up_to_date(duck, LAKE, missing)
            self.renew(change, frozenset(missing))
            change.message = f"what a newer version needs: {', '.join(sorted(missing))}"

        log.info("lake of an earlier version", extra={"lacking": sorted(missing)})
        self._attempt(Change(duck), "teal", uuid.uuid4().hex, change, 1)
        with suppress(PreconditionFailedError):
            self.catalog.swap(copy.path, etag=copy.etag)
        copy.path.unlink(missing_ok=True)
        return self._copy(duck, folder)

    def _copy(self, duck: Duck, folder: Path) -> CatalogCopy:
        try:
            copy = self.catalog.fetch(folder)
            assert copy is not None  # noqa: S101 - fetch without `unless` never answers "unchanged"
            return copy
        except ObjectNotFoundError:
            path = folder / f"new-{uuid.uuid4().hex}.ducklake"
            create_lake(duck, path, self.catalog.data_uri)
            # Published at once: data files without a catalog beside them would look like a lost one.
            with suppress(PreconditionFailedError):
                self.catalog.swap(path, etag="")
            return self._copy(duck, folder)

    def _attempt(
        self, told: Change, author: str, commit_id: str, change: Callable[[Change], T], attempt: int
    ) -> Committed[T]:
        """Run the change in a transaction on the attached catalog, and detach it: its file is then complete."""
        duck = told.duck
        try:
            with duck.transaction():
                try:
                    result = change(told)
                except NothingToCommit as nothing:
                    current = int(duck.value(f"FROM {LAKE}.current_snapshot()"))
                    raise NothingToCommit(Committed(nothing.result, current, False, attempt)) from None
                extra = json.dumps({"commit_id": commit_id, "tables": told.tables})
                duck.execute(
                    f"CALL {LAKE}.set_commit_message($author, $message, extra_info => $extra)",
                    {"author": author, "message": told.message, "extra": extra},
                )
            # DuckLake's own function would read the whole schema again after a change of it.
            newest = f"SELECT max(snapshot_id) FROM __ducklake_metadata_{LAKE}.ducklake_snapshot"
            return Committed(result, int(duck.value(newest)), True, attempt)
        finally:
            duck.detach(LAKE)

    def _refuse_late(self, started: float) -> None:
        seconds = self.clock() - started
        if seconds > self.max_seconds:
            log.warning("commit is too late", extra={"seconds": int(seconds), "max_seconds": int(self.max_seconds)})
            raise CommitTooLateError("This took too long to be committed safely; the same request may succeed now.")

    def _find(self, duck: Duck, folder: Path, commit_id: str) -> int | None:
        """The snapshot our commit became, if it landed after all."""
        try:
            copy = self.catalog.fetch(folder)
        except ObjectNotFoundError:
            return None
        assert copy is not None  # noqa: S101 - as above
        duck.attach(copy.path, LAKE, self.catalog.data_uri, read_only=True)
        try:
            found: Any = duck.value(
                f"SELECT snapshot_id FROM {LAKE}.snapshots() WHERE commit_extra_info LIKE '%' || $id || '%'",
                {"id": commit_id},
            )
            return None if found is None else int(found)
        finally:
            duck.detach(LAKE)
            copy.path.unlink(missing_ok=True)


def _pause(attempt: int) -> None:
    """Full jitter, at most two seconds: many writers that lost together must not meet again together."""
    time.sleep(random.uniform(0, min(2.0, 0.02 * 2 ** min(attempt, 7))))  # noqa: S311 - not cryptography
