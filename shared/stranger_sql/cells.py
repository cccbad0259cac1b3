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
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.answers.encode import plain
from shared.catalog.stored import lake_prefix
from shared.cells.process import Cell, CellEndedError, CellTooLateError, CellUnawaitedError, all_but_one_core
from shared.errors import AppError, CallerGoneError, EngineUnavailableError
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlPage, SqlRun
from shared.stranger_sql.errors import (
    CRASHED,
    KEEPS_CELL,
    OF_CODE,
    CrashedSqlError,
    SqlBusyError,
    SqlTookTooLongError,
)
from shared.stranger_sql.inside import NICENESS, PROGRAM

RENEW_BEFORE = timedelta(minutes=5)
"""A credential that ends sooner is not used for another run; it cannot be renewed behind the lock."""

BUSY = "Other SQL takes all there is; ask again in a moment."

MAX_WAITING = 4
"""Questions of a tenant that wait for a cell: each holds a thread of the server, which others need too."""

MAX_CATALOGS = 2
"""Snapshots whose catalog a cell has; as many as it keeps open."""


def sql_cell(limits: SqlLimits) -> Cell:
    """A new one for some tenant. Raises OSError."""
    cores = all_but_one_core() if limits.spares_core else []
    # More threads than cores would wait for each other.
    told = asdict(replace(limits, threads=min(limits.threads, len(cores) or limits.threads)))
    return Cell(PROGRAM, told, answer_bytes=limits.answer_bytes, niceness=NICENESS, cores=cores)


@dataclass(eq=False)
class _Taken:
    """A tenant's place among the cells: its cell, once it was started, and the lakes that was given, by snapshot."""

    tenant: str
    cell: Cell | None = None
    lakes: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)
    given: int = 0

    def start(self, limits: SqlLimits) -> Cell:
        """The cell. Raises EngineUnavailableError."""
        try:
            self.cell = self.cell or sql_cell(limits)
            self.cell.wait_until_ready()
        except (CellEndedError, CellTooLateError, OSError) as error:
            raise EngineUnavailableError("The engine could not be started; asking again may help.") from error
        return self.cell

    def close(self) -> None:
        """End the cell."""
        if self.cell is not None:
            self.cell.close()


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
            cell = taken.start(self.limits)
            head = {
                "lake": self._lake(taken, cell, run),
                "shown": {
                    "rules": run.rules.document(),
                    "references": {name: dict(columns) for name, columns in run.references.items()},
                    "hidden": {name: sorted(columns) for name, columns in run.statement.hidden.items() if columns},
                },
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
                told, body = cell.ask(head, seconds=self.limits.seconds, is_awaited=run.is_awaited)
            except CellTooLateError:
                raise SqlTookTooLongError("This did not end in the time a question has. Ask for less.") from None
            except CellEndedError:
                raise CrashedSqlError(CRASHED) from None
            except CellUnawaitedError:
                raise CallerGoneError("The caller went away.") from None
            return _page(told, body)

    def require_room(self, tenant: str) -> None:
        """Raises SqlBusyError where a run would find no cell and no place to wait for one."""
        with self._changed:
            if not self._may_run(tenant) and self._waiting[tenant] >= MAX_WAITING:
                raise SqlBusyError(BUSY)

    def close(self) -> None:
        """End all cells; SQL that still runs in one fails."""
        with self._changed:
            ended, self._idle = self._idle, []
            for taken in self._busy:
                if taken.cell is not None:
                    taken.cell.kill()
        for taken in ended:
            taken.close()

    @contextmanager
    def _lent(self, tenant: str) -> Iterator[_Taken]:
        """A cell of the tenant, for one run. Raises SqlBusyError, EngineUnavailableError."""
        taken, ended = self._take(tenant)
        keeps = False
        try:
            # Outside the lock: nobody waits until a process has ended.
            for other in ended:
                other.close()
            yield taken
            keeps = True
        except AppError as error:
            keeps = isinstance(error, KEEPS_CELL)
            raise
        finally:
            if not keeps:
                taken.close()
            with self._changed:
                self._busy.remove(taken)
                if keeps:
                    self._idle.append(taken)
                self._changed.notify_all()

    def _take(self, tenant: str) -> tuple[_Taken, list[_Taken]]:
        """A place for the tenant, with its own cell if one is idle, and cells that are to be ended for it."""
        until = time.monotonic() + self.limits.seconds
        with self._changed:
            while not self._may_run(tenant):
                is_full = self._waiting[tenant] >= MAX_WAITING
                self._waiting[tenant] += 1
                try:
                    if is_full or not self._changed.wait(until - time.monotonic()):
                        raise SqlBusyError(BUSY)
                finally:
                    self._waiting[tenant] -= 1
            own = [taken for taken in self._idle if taken.tenant == tenant]
            taken = own[-1] if own else _Taken(tenant)
            if own:
                self._idle.remove(taken)
            self._busy.append(taken)
            too_many = max(0, len(self._idle) + len(self._busy) - self.max_cells)
            ended, self._idle = self._idle[:too_many], self._idle[too_many:]
            return taken, ended

    def _may_run(self, tenant: str) -> bool:
        own = sum(taken.tenant == tenant for taken in self._busy)
        return len(self._busy) < self.max_cells and own < max(1, self.max_cells - 1)

    def _lake(self, taken: _Taken, cell: Cell, run: SqlRun) -> dict[str, Any]:
        """What opens the snapshot in that cell: the same until its credential ends."""
        key = repr((run.lake.snapshot_id, run.lake.committed_at))
        told = taken.lakes.get(key)
        if told is None or _ends_soon(told["access"]["expires_at"]):
            taken.given += 1
            # A copy of its own, since the reader deletes the one it has when a newer catalog comes.
            catalog = cell.folder / f"catalog-{taken.given}.ducklake"
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
            (cell.folder / taken.lakes.popitem(last=False)[1]["catalog"]).unlink(missing_ok=True)
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
