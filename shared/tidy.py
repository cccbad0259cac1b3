"""Keeps lakes healthy: flush, rewrite, merge, expire, verify, delete; safe beside writers, readers and itself.

The rule: nothing is deleted by a commit. A commit only schedules files; a later step deletes what no snapshot of the
*published* catalog needs and what has been unneeded for the whole grace period. Whoever commits afterwards builds on
that catalog and so needs none of it, and files of a commit in flight are younger than the grace period.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.catalog.careful import AUTHOR, CarefulCatalog
from shared.catalog.stored import StoredCatalog, lake_prefix
from shared.catalog.writer import Change, CommitTooLateError, LakeWriter, NothingToCommit
from shared.duck import Duck
from shared.errors import AppError, CatalogContendedError
from shared.lake_files import files_of, lacking, listing_of, said, scheduled_of
from shared.leftovers import DELETERS, KEEP_ANSWERS_DAYS, TidyRules, delete_jobs, delete_probes, outdated, unneeded
from shared.remains import ForgettingCatalog, Remains, mark, remains_of
from shared.sql.load import statement
from shared.steps.day_rollups import add_up_differences
from shared.steps.merge import tables_with_rows
from shared.storage.base import ObjectInfo, ObjectStore
from shared.tenant_objects import tenants_in

log = logging.getLogger("teal.tidy")

RESTORER = "restore"
"""The author of a restored catalog's snapshot; see shared/restore.py."""
MERGE_AT_FILES = 5
SMALL_BYTES = 64 * 2**20
MERGE_STEPS = ((SMALL_BYTES, 10), (8 * 2**20, 1), (2**20, 1))
"""Largest file to merge and most new files of one commit: less work after each lost race, so that some commit wins."""
REWRITE_STEPS = (0.1, 0.4, 0.8)
"""A file is rewritten when this share of its rows is deleted; a larger share, so fewer files, after each lost race."""
ANY_SHARE = 1e-9
"""Of a file that may hold rows of an erased person: one row among a billion is enough."""
ATTEMPTS = 4
"""Of one step before the next smaller one: ingest never waits for us, so we lose races while it is busy."""


@dataclass
class TidyReport:
    """What was done for one lake: files merged, rewritten, deleted, rows flushed, snapshots expired; what is wrong.

    ``postponed`` names work that lost every race or ran out of time; the next run goes on with it. While there are
    ``problems``, no data file is deleted. ``erasures`` say what is left of erased persons.
    """

    tenant: str
    flushed: int = 0
    rewritten: int = 0
    merged: int = 0
    expired: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    files: int = 0
    bytes: int = 0
    postponed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    erasures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TidyLakes:
    """Maintains every lake of a store. Running it twice, or at the same time, does no harm."""

    store: ObjectStore
    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    rules: TidyRules = field(default_factory=TidyRules)

    def __call__(self, tenants: Iterable[str] | None = None) -> list[TidyReport]:
        """Tidy these lakes, or all; what is wrong with one does not stop the others. Raises StoreUnavailableError."""
        delete_probes(self.store, self.rules)
        delete_jobs(self.store, self.rules)
        return [self.tidy(tenant) for tenant in (self.tenants() if tenants is None else tenants)]

    def tenants(self) -> list[str]:
        """Every tenant that has anything in this store, also one whose catalog is lost: its report says so."""
        return sorted(tenants_in(self.store))

    def tidy(self, tenant: str) -> TidyReport:
        """Tidy one lake."""
        started = time.monotonic()
        report = TidyReport(tenant)
        try:
            with self.session() as duck:
                run = _Run(duck, self.store, self.writer_of(tenant), self.rules, started, report)
                run.add_up()
                run.compact()
                run.expire()
                run.forget()
                run.sweep()
                run.look_for_erased()
        except AppError as error:
            log.warning("tidy stopped", extra={"tenant": tenant, "code": error.code}, exc_info=error)
            report.problems.append(f"{error.code}: {error.message}")
        log.info("tidied", extra={**vars(report), "duration_ms": int((time.monotonic() - started) * 1000)})
        return report


@dataclass(frozen=True)
class _Run:
    """One lake's maintenance: each step is a commit of its own, so that what is done stays done."""

    duck: Duck
    store: ObjectStore
    writer: LakeWriter
    rules: TidyRules
    started: float
    report: TidyReport

    def compact(self) -> None:
        """Flush inlined rows, rewrite files with deletions, merge small files: table by table, in small commits."""
        flushed = self._commit("flush", "tidy/flush", {})
        self.report.flushed += sum(row[2] for row in flushed or ())
        if flushed is None:
            self.report.postponed.append("flush")
        tables, erased = self._tables()
        for schema, table, small_files, deleted_share in tables:
            where = {"schema": schema, "table": table}
            shares = [share for share in REWRITE_STEPS if share <= deleted_share]
            shares = [ANY_SHARE, *shares] if f"{schema}.{table}" in erased else shares
            if shares:
                steps = [{**where, "deleted_share": share} for share in shares]
                self.report.rewritten += self._step_down(f"rewrite {schema}.{table}", "tidy/rewrite", steps)
                small_files = MERGE_AT_FILES  # noqa: PLW2901 - what was rewritten may be merged now
            if small_files >= MERGE_AT_FILES:
                steps = [{**where, "max_file_bytes": size, "max_new_files": most} for size, most in MERGE_STEPS]
                while merged := self._step_down(f"merge {schema}.{table}", "tidy/merge", steps):
                    self.report.merged += merged

    def add_up(self) -> None:
        """Make one row of what many commits added to each day."""

        def change(change: Change) -> None:
            done = add_up_differences(change)
            if not done:
                raise NothingToCommit(None)
            change.message = f"add up {', '.join(done)}"

        try:
            # Unlike the steps below it changes rows, as an ingest does.
            replace(self.writer, attempts=min(ATTEMPTS, self.writer.attempts)).commit(AUTHOR, change, duck=self.duck)
        except (CatalogContendedError, CommitTooLateError) as error:
            log.info("tidy lost its races", extra={"tenant": self.report.tenant, "code": error.code})
            self.report.postponed.append("add up")

    def expire(self) -> None:
        """Forget old snapshots; their files are scheduled, not deleted."""
        older_than = self.store.clock() - timedelta(days=self.rules.keep_snapshots_days)
        expired = self._commit("expire snapshots", "tidy/expire", {"older_than": older_than})
        self.report.expired += len(expired or ())
        if expired is None:
            self.report.postponed.append("expire snapshots")

    def forget(self) -> None:
        """Take the last of erased persons out of the catalog once nothing else knows them; drop old copies of it."""
        with self.writer.look(self.duck):
            if "teal.erased" not in tables_with_rows(self.duck):
                return
            forgotten = [one for one in remains_of(self.duck) if one.can_be_forgotten]
        if forgotten and self._narrowed():
            self._mark("forgotten_at", forgotten)
        elif forgotten:
            self.report.postponed.append("forget erased persons")
        days = timedelta(days=self.rules.keep_snapshots_days)
        key = StoredCatalog(self.store, self.report.tenant).key
        self.store.forget_versions(key, self.store.clock() - days)

    def look_for_erased(self) -> None:
        """Say what is left of erased persons, and write down of whom nothing is."""
        with self.writer.look(self.duck):
            left = remains_of(self.duck)
        if gone := [one for one in left if one.is_gone]:
            self._mark("gone_at", gone)
        self.report.erasures = [one.said for one in left if not one.is_gone]

    def sweep(self) -> None:
        """Verify that all files are there, delete what nothing needs, then forget what was scheduled and is gone."""
        tenant = self.report.tenant
        now = self.store.clock()
        too_old = now - timedelta(hours=self.rules.orphan_grace_hours)
        with self.writer.look(self.duck):
            files = files_of(self.duck, self.store, tenant)
            scheduled = scheduled_of(self.duck, self.store, tenant)
            restored_at = self.duck.value(statement("tidy/restored_at"), {"author": RESTORER})
            held = {row[0] for row in self.duck.execute(statement("tidy/held_uploads"))}
        # Listed after the catalog was read, so that a file of a newer commit cannot look missing.
        listing = listing_of(self.store, tenant)
        self.report.files = sum(file.current for file in files)
        self.report.bytes = sum(file.size_bytes for file in files if file.current)
        self.report.problems += [said(file, listing) for file in lacking(files, listing)]
        self._delete([*outdated(listing, tenant, self.rules, now), *self._old_records(held, now)])
        if self.report.problems:
            return
        data = {key: info for key, info in listing.items() if key.startswith(lake_prefix(tenant) + "data/")}
        needed = {file.key for file in files}
        goes = unneeded(data, needed, scheduled, too_old=too_old, restored_at=restored_at)
        left = data.keys() - self._delete(data[key] for key in goes)
        self._unschedule([file.file_id for file in scheduled if file.since < too_old and file.key not in left])

    # --- steps -------------------------------------------------------------------------------------------------------

    def _tables(self) -> tuple[list[tuple[str, str, int, float]], set[str]]:
        """What could be done for each table, and those with files that may hold rows of erased persons."""
        with self.writer.look(self.duck):
            rows = self.duck.execute(statement("tidy/tables"), {"small_bytes": SMALL_BYTES})
            erased = {table for one in remains_of(self.duck) for table in one.to_rewrite}
        return [(schema, table, small, share) for schema, table, small, share in rows], erased

    def _step_down(self, what: str, name: str, steps: list[dict[str, object]]) -> int:
        """Do the largest step that wins its race; returns how many files it took away."""
        if time.monotonic() - self.started < self.rules.max_seconds:
            for step in steps:
                rows = self._commit(what, name, step)
                if rows is not None:
                    return sum(row[2] for row in rows)
        self.report.postponed.append(what)
        return 0

    def _commit(self, what: str, name: str, parameters: dict[str, object]) -> list[tuple[Any, ...]] | None:
        """Run one maintenance statement as a commit: its rows, or None when every race was lost."""

        def change(change: Change) -> list[tuple[Any, ...]]:
            rows = change.duck.execute(statement(name), parameters)
            if not rows:
                raise NothingToCommit(rows)
            change.message = what
            return rows

        return self._committed(change, flush_first=name == "tidy/rewrite")

    def _committed(
        self, change: Callable[[Change], list[tuple[Any, ...]]], *, flush_first: bool = False
    ) -> list[tuple[Any, ...]] | None:
        catalog = CarefulCatalog(self.writer.catalog, self.duck, self.store.clock, flush_first)
        writer = replace(self.writer, catalog=catalog, attempts=min(ATTEMPTS, self.writer.attempts))
        try:
            return writer.commit(AUTHOR, change, duck=self.duck).result
        except (CatalogContendedError, CommitTooLateError) as error:
            log.info("tidy lost its races", extra={"tenant": self.report.tenant, "code": error.code})
            return None

    def _narrowed(self) -> bool:
        """Publish the catalog without statistics of former rows and free room; False when every race was lost."""

        def change(change: Change) -> list[tuple[Any, ...]]:
            change.message = "forget erased persons"
            return []

        forgetting = replace(self.writer, catalog=ForgettingCatalog(self.writer.catalog, self.duck))
        return replace(self, writer=forgetting)._committed(change, flush_first=True) is not None

    def _mark(self, column: str, chosen: list[Remains]) -> None:
        """Write down that persons are forgotten or gone."""
        persons, now = [one.person for one in chosen], self.store.clock()
        writer = replace(self.writer, attempts=min(ATTEMPTS, self.writer.attempts))
        try:
            writer.commit(AUTHOR, lambda change: mark(change, column, persons, now), duck=self.duck)
        except (CatalogContendedError, CommitTooLateError) as error:
            log.info("tidy lost its races", extra={"tenant": self.report.tenant, "code": error.code})
            self.report.postponed.append("forget erased persons")

    def _old_records(self, held: set[str], now: datetime) -> Iterator[ObjectInfo]:
        for info in self.store.list(f"uploads/{self.report.tenant}/"):
            keep = self.rules.keep_held_days if info.key.split("/")[-1].split(".")[0] in held else KEEP_ANSWERS_DAYS
            if info.modified_at < now - timedelta(days=keep):
                yield info

    def _delete(self, infos: Iterable[ObjectInfo]) -> set[str]:
        """Delete several at a time until the time is up; returns the keys that are gone."""
        started, left, gone = time.monotonic(), list(infos), set[str]()
        with ThreadPoolExecutor(DELETERS) as pool:
            while left:
                if time.monotonic() - started > self.rules.max_seconds / 4:
                    self.report.postponed.append(f"delete {len(left)} objects")
                    break
                some, left = left[: DELETERS * 8], left[DELETERS * 8 :]
                for info, _ in zip(some, pool.map(self.store.delete, [info.key for info in some]), strict=True):
                    gone.add(info.key)
                    self.report.deleted += 1
                    self.report.deleted_bytes += info.size_bytes
        return gone

    def _unschedule(self, file_ids: list[int]) -> None:
        """The file goes first and its schedule second: a stop in between leaves a schedule that the next run clears."""

        def change(change: Change) -> list[tuple[Any, ...]]:
            rows = change.duck.execute(statement("tidy/unschedule"), {"file_ids": file_ids})
            if rows == [(0,)]:
                raise NothingToCommit(rows)
            return rows

        if file_ids and self._committed(change) is None:
            self.report.postponed.append("forget deleted files")
