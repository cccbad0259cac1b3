"""Folds what processes handed in about their requests into ``teal.usage``: on the schedule, one commit per lake.

The rule: an object counts once. The commit that adds its sums also names it, objects are deleted after it, and a name
is kept longer than any other fold that may have read the object can take.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from shared.catalog.writer import Change, CommitTooLateError, LakeWriter, NothingToCommit
from shared.duck import Duck
from shared.errors import AppError, ObjectNotFoundError
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.usage import PREFIX, Slot, Sums, slots_from

log = logging.getLogger("teal.usage")

AUTHOR = "usage"
MAX_OBJECTS = 5_000
"""Of one fold: about a day of a process that is asked all the time, or an hour of eighty; the next run goes on."""
AT_ONCE = 8
KEEP_NAMES_DAYS = 7
"""Or four times as long as a commit may take, if that is longer."""


@dataclass
class FoldReport:
    """What was folded for one lake: objects and the requests they tell of; ``deleted`` counts earlier ones too."""

    tenant: str
    objects: int = 0
    requests: int = 0
    deleted: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FoldUsage:
    """Brings into a lake what was asked of it; twice, or at the same time, counts nothing twice."""

    store: ObjectStore
    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    max_objects: int = MAX_OBJECTS

    def __call__(self, tenant: str) -> FoldReport:
        """Fold what is there; an AppError is told in the report."""
        started = time.monotonic()
        report = FoldReport(tenant)
        try:
            self._fold(self.writer_of(tenant), report)
        except AppError as error:
            log.warning("fold stopped", extra={"tenant": tenant, "code": error.code}, exc_info=error)
            report.problems.append(f"{error.code}: {error.message}")
        report.seconds = round(time.monotonic() - started, 3)
        log.info("usage folded", extra=vars(report))
        return report

    def _fold(self, writer: LakeWriter, report: FoldReport) -> None:
        began = writer.clock()
        found = [info.key for info in islice(self.store.list(f"{PREFIX}{report.tenant}/"), self.max_objects + 1)]
        if not found:
            return
        keys = found[: self.max_objects]
        # What is put after the listing comes with the next fold.
        looked_at = self.store.clock()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            batches = {
                key: batch for key, batch in zip(keys, pool.map(self._read, keys), strict=True) if batch is not None
            }
        report.problems += [f"{key} holds no sums" for key in batches if not batches[key]]
        with self.session() as duck:
            fold = _Fold(batches, looked_at, began, writer, whole_listing=len(found) == len(keys))
            report.objects, report.requests = writer.commit(AUTHOR, fold, duck=duck).result
        # Every one of them is in the lake now, by this commit or an earlier one.
        self._delete([key for key in batches if batches[key]], report)

    def _read(self, key: str) -> dict[Slot, Sums] | None:
        """The sums of an object: empty when it cannot be read, None when another fold has deleted it."""
        try:
            return slots_from(self.store.get(key)[0])
        except ObjectNotFoundError:
            return None
        except (ValueError, zlib.error) as error:
            log.error("usage object cannot be read", extra={"object_key": key, "error": type(error).__name__})
            return {}

    def _delete(self, keys: list[str], report: FoldReport) -> None:
        def delete(key: str) -> bool:
            try:
                self.store.delete(key)
            except AppError as error:
                log.warning("usage object stays", extra={"object_key": key, "code": error.code})
                return False
            return True

        with ThreadPoolExecutor(AT_ONCE) as pool:
            report.deleted = sum(pool.map(delete, keys))


@dataclass(frozen=True)
class _Fold:
    """The change of a fold: what it adds, decided by the names in the very catalog that it is added to."""

    batches: dict[str, dict[Slot, Sums]]
    looked_at: datetime
    began: float
    writer: LakeWriter
    whole_listing: bool

    def __call__(self, change: Change) -> tuple[int, int]:
        """How many objects were added, and of how many requests they tell."""
        duck = change.duck
        if self.writer.clock() - self.began > self.writer.max_seconds:
            raise CommitTooLateError("This fold took so long that others may have forgotten what it read.")
        there = [key for key, slots in self.batches.items() if slots]
        known = {row[0] for row in duck.execute(statement("usage/known"), {"keys": there})}
        new = [key for key in there if key not in known]
        if not new:
            raise NothingToCommit((0, 0))
        sums = added_up(self.batches[key] for key in new)
        at = {"folded_at": self.looked_at}
        duck.execute(statement("usage/fold"), {**columns_of(sums), **at})
        duck.execute(statement("usage/name"), {"keys": new, **at})
        if self.whole_listing:
            keep = max(timedelta(days=KEEP_NAMES_DAYS), timedelta(seconds=4 * self.writer.max_seconds))
            forget = {"before": self.looked_at - keep, "listed": list(self.batches)}
            duck.execute(statement("usage/forget"), forget)
        change.touched("teal.usage", added=len(sums))
        change.message = f"usage of {len(new)} objects"
        return len(new), sum(one.requests for one in sums.values())


def added_up(batches: Iterable[dict[Slot, Sums]]) -> dict[Slot, Sums]:
    """The sums of several objects, each slot once."""
    found: dict[Slot, Sums] = {}
    for slots in batches:
        for slot, sums in slots.items():
            found[slot] = found[slot].plus(sums) if slot in found else sums
    return found


def columns_of(sums: dict[Slot, Sums]) -> dict[str, list[Any]]:
    """Slots and sums as one list per column."""
    slots = {name: [getattr(slot, name) for slot in sums] for name in Slot._fields}
    return slots | {name: [getattr(one, name) for one in sums.values()] for name in Sums._fields}
