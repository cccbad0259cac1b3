"""Runs a stranger's SQL in cells: warm child processes, each of one tenant, ended when one may be damaged.

The rule: what runs beside our questions has no more than its cell. A cell that was too late, died or ran out of memory
is killed, and so is one whose place another tenant needs.
"""

from __future__ import annotations

import atexit
import shutil
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.answers.encode import plain
from shared.catalog.stored import lake_prefix
from shared.errors import AppError, EngineUnavailableError
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlPage, SqlRun
from shared.stranger_sql.cell import Cell, CellEndedError, CellTooLateError
from shared.stranger_sql.errors import (
    CRASHED,
    KEEPS_CELL,
    OF_CODE,
    CrashedSqlError,
    SqlBusyError,
    SqlTookTooLongError,
)

RENEW_BEFORE = timedelta(minutes=5)
"""A credential that ends sooner is not used for another run; it cannot be renewed behind the lock."""

BUSY = "Other SQL takes all there is; ask again in a moment."

MAX_WAITING = 4
"""Questions of a tenant that wait for a cell: each holds a thread of the server, which others need too."""

MAX_CATALOGS = 2
"""Snapshots whose catalog a cell has; as many as it keeps open."""


@dataclass
class _Taken:
    """A cell with the tenant it belongs to and the lakes it was given, by snapshot."""

    cell: Cell
    tenant: str = ""
    lakes: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)
    given: int = 0


@dataclass
class CellRunner:
    """The ``SqlRunner`` of an installation. At most ``max_cells`` run at once, and of one tenant one less than that."""

    store: ObjectStore
    limits: SqlLimits = field(default_factory=SqlLimits)
    max_cells: int = 3

    def __post_init__(self) -> None:
        self._idle: list[_Taken] = []
        self._busy: list[_Taken] = []
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()
        atexit.register(self.close)

    def __call__(self, run: SqlRun) -> SqlPage:
        """See SqlRunner."""
        with self._lent(run.tenant) as taken:
            head = {
                "lake": self._lake(taken, run),
                "hidden": {name: sorted(columns) for name, columns in run.statement.hidden.items() if columns},
                "order": {
                    "sql": run.statement.sql,
                    "values": plain(run.statement.values),
                    "types": dict(run.statement.types),
                    "limit": run.limit,
                    "offset": run.offset,
                    "format": run.format,
                    "numbers": run.numbers,
                },
            }
            try:
                taken.cell.wait_until_ready()
            except (CellEndedError, CellTooLateError):
                raise EngineUnavailableError("The engine could not be started; asking again may help.") from None
            try:
                told, body = taken.cell.ask(head)
            except CellTooLateError:
                raise SqlTookTooLongError("This did not end in the time a question has. Ask for less.") from None
            except CellEndedError:
                raise CrashedSqlError(CRASHED) from None
            return _page(told, body)

    def require_room(self, tenant: str) -> None:
        """Raises SqlBusyError where a run would find no cell and no place to wait for one."""
        with self._changed:
            if not self._may_run(tenant) and self._waiting[tenant] >= MAX_WAITING:
                raise SqlBusyError(BUSY)

    def warm(self) -> None:
        """Start a cell that belongs to nobody yet, unless there is one."""
        with self._changed:
            if not self._idle and not self._busy:
                self._idle.append(_Taken(Cell(self.limits)))

    def close(self) -> None:
        """End all cells."""
        with self._changed:
            for taken in (*self._idle, *self._busy):
                taken.cell.close()
            self._idle.clear()
            self._busy.clear()

    @contextmanager
    def _lent(self, tenant: str) -> Iterator[_Taken]:
        """A cell of the tenant, for one run. Raises SqlBusyError."""
        taken = self._take(tenant)
        keeps = False
        try:
            yield taken
            keeps = True
        except AppError as error:
            keeps = isinstance(error, KEEPS_CELL) and taken.cell.is_usable
            raise
        finally:
            if not keeps:
                taken.cell.close()
            with self._changed:
                self._busy.remove(taken)
                if keeps:
                    self._idle.append(taken)
                self._changed.notify_all()

    def _take(self, tenant: str) -> _Taken:
        until = time.monotonic() + self.limits.seconds
        with self._changed:
            while True:
                if self._may_run(tenant):
                    taken = self._free(tenant)
                    taken.tenant = tenant
                    self._busy.append(taken)
                    return taken
                is_full = self._waiting[tenant] >= MAX_WAITING
                self._waiting[tenant] += 1
                try:
                    if is_full or not self._changed.wait(until - time.monotonic()):
                        raise SqlBusyError(BUSY)
                finally:
                    self._waiting[tenant] -= 1

    def _may_run(self, tenant: str) -> bool:
        own = sum(taken.tenant == tenant for taken in self._busy)
        return len(self._busy) < self.max_cells and own < max(1, self.max_cells - 1)

    def _free(self, tenant: str) -> _Taken:
        """A cell that nobody runs on: the tenant's own, nobody's, or a new one."""
        for wanted in (tenant, ""):
            for taken in reversed(self._idle):
                if taken.tenant == wanted:
                    self._idle.remove(taken)
                    return taken
        while self._idle and len(self._idle) + len(self._busy) >= self.max_cells:
            self._idle.pop(0).cell.close()
        try:
            return _Taken(Cell(self.limits))
        except OSError as error:
            raise EngineUnavailableError("The engine could not be started; asking again may help.") from error

    def _lake(self, taken: _Taken, run: SqlRun) -> dict[str, Any]:
        """What opens the snapshot in that cell: the same until its credential ends."""
        key = repr((run.lake.snapshot_id, run.lake.committed_at))
        told = taken.lakes.get(key)
        if told is None or _ends_soon(told["access"]["expires_at"]):
            taken.given += 1
            # A copy of its own, since the reader deletes the one it has when a newer catalog comes.
            catalog = taken.cell.folder / f"catalog-{taken.given}.ducklake"
            shutil.copyfile(str(run.lake.duck.value(statement("lake/place"), {"alias": run.lake.alias})), catalog)
            prefix = self.store.uri_of(lake_prefix(run.tenant))
            access = replace(self.store.duck_access(), scope=prefix)
            told = {
                "catalog": str(catalog),
                "data_uri": f"{prefix}data/",
                "snapshot": run.lake.snapshot_id,
                "access": {**vars(access), "expires_at": access.expires_at and access.expires_at.isoformat()},
            }
            taken.lakes[key] = told
        taken.lakes.move_to_end(key)
        while len(taken.lakes) > MAX_CATALOGS:
            (taken.cell.folder / taken.lakes.popitem(last=False)[1]["catalog"]).unlink(missing_ok=True)
        return told


def _page(told: dict[str, Any], body: bytes) -> SqlPage:
    """The page, or the error, that a cell told of. Raises what an SqlRunner raises."""
    if "error" in told:
        kind = OF_CODE.get(str(told["error"]), EngineUnavailableError)
        raise kind(str(told["message"]), **{str(name): value for name, value in told["details"].items()})
    columns, types, tables = (tuple(map(str, told[name])) for name in ("columns", "types", "tables"))
    return SqlPage(columns, types, tables, body, bool(told["more"]), bool(told["repeatable"]))


def _ends_soon(expires_at: str | None) -> bool:
    return expires_at is not None and datetime.fromisoformat(expires_at) < datetime.now(UTC) + RENEW_BEFORE
