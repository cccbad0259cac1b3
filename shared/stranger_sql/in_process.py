"""Runs a stranger's SQL in this process, on a locked DuckDB of its own per snapshot, with a deadline by interrupt.

What it cannot do is kill: a scalar function that takes no interrupts would run on, which is why the guard's list leaves
such functions out. A child process that can be killed is another ``SqlRunner``.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.answers.encode import arrow_body
from shared.duck import Duck, Result, literal
from shared.errors import AppError
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlPage, SqlRun
from shared.stranger_sql.errors import SqlNeedsTooMuchError, told_error
from shared.stranger_sql.functions import words
from shared.stranger_sql.guard import SqlGuard
from shared.stranger_sql.locked import LockedDuck
from shared.stranger_sql.ready import made_ready
from shared.stranger_sql.sessions import LockedSessions

INTERRUPT_AGAIN_SECONDS = 0.05
FETCHED_ROWS = 1_024
_PAGE = "temp.page"
_SMALL_TYPES = words(
    """BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DATE
    TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL UUID"""
) | {"TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE"}


@dataclass
class InProcessRunner:
    """The ``SqlRunner`` of a process without a cell."""

    store: ObjectStore
    limits: SqlLimits = field(default_factory=SqlLimits)

    def __post_init__(self) -> None:
        self._sessions = LockedSessions(self.store, self.limits)

    def __call__(self, run: SqlRun) -> SqlPage:
        """See SqlRunner."""
        with self._sessions.lent(run) as (locked, cursor), _told(), _deadline(cursor, self.limits.seconds):
            values = {name: run.statement.values[name] for name in run.statement.checked.parameters}
            sql = _prepared(run, locked, cursor, values)
            sql = f"SELECT * FROM (\n{sql}\n) LIMIT {run.limit + 1} OFFSET {run.offset}"
            if run.format in ("parquet", "arrow"):
                return self._file(run, locked, cursor, sql, values)
            found = cursor.connection.execute(sql, values or None)
            columns = tuple(told[0] for told in found.description)
            types = tuple(str(told[1]) for told in found.description)
            rows = self._rows(found, types)
            return SqlPage(Result(columns, types, rows[: run.limit]), len(rows) > run.limit)

    def close(self) -> None:
        """Close all sessions."""
        self._sessions.close()

    def _rows(self, found: Any, types: Sequence[str]) -> list[tuple[Any, ...]]:
        """All rows, as long as they are not too large together; where they are large, a few are fetched at a time."""
        large = [
            place for place, kind in enumerate(types) if kind not in _SMALL_TYPES and not kind.startswith("DECIMAL(")
        ]
        rows: list[tuple[Any, ...]] = []
        room, largest, few = self.limits.answer_bytes, 1, 1
        while batch := found.fetchmany(few):
            for row in batch:
                size = 16 * len(row) + sum(_size(row[place]) for place in large)
                room, largest = room - size, max(largest, size)
            if room < 0:
                raise self._too_large()
            rows += batch
            few = max(1, min(FETCHED_ROWS, self.limits.answer_bytes // (16 * largest)))
        return rows

    def _file(self, run: SqlRun, locked: LockedDuck, cursor: Duck, sql: str, values: Mapping[str, Any]) -> SqlPage:
        cursor.connection.execute(f"CREATE TEMP TABLE page AS {sql}", dict(values) or None)
        count = int(cursor.value(f"SELECT count(*) FROM {_PAGE}"))
        rows = f"(FROM {_PAGE} LIMIT {run.limit})"
        if run.format == "arrow":
            file = arrow_body(cursor, rows)
        else:
            path = locked.spill / f"{uuid.uuid4().hex}.parquet"
            try:
                cursor.connection.execute(f"COPY (FROM {rows}) TO {literal(str(path))} (FORMAT parquet)")
                file = path.read_bytes()
            finally:
                path.unlink(missing_ok=True)
        if len(file) > self.limits.answer_bytes:
            raise self._too_large()
        return SqlPage(Result((), (), []), count > run.limit, file)

    def _too_large(self) -> SqlNeedsTooMuchError:
        return SqlNeedsTooMuchError(f"An answer may have {self.limits.answer_bytes:,} bytes. Ask for less.")


def _prepared(run: SqlRun, locked: LockedDuck, cursor: Duck, values: Mapping[str, Any]) -> str:
    """The SQL made ready, once per session; what is run was checked as it is run."""

    def columns(sql: str) -> int:
        return len(cursor.connection.execute(f"DESCRIBE {sql}", dict(values) or None).fetchall())

    checked, types = run.statement.checked, run.statement.types
    key = repr((checked.sql, sorted(types.items())))
    if key not in locked.prepared:
        sql = made_ready(cursor, checked, types, columns)
        SqlGuard(cursor, checked.tables).check(sql)
        locked.prepared[key] = sql
    return locked.prepared[key]


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the engine become those that may be told."""
    try:
        yield
    except Exception as error:
        if isinstance(error, AppError) and not isinstance(error.__cause__, Exception):
            raise
        cause = error.__cause__ if isinstance(error, AppError) and error.__cause__ else error
        raise told_error(type(cause).__name__, str(cause)) from None


@contextmanager
def _deadline(cursor: Duck, seconds: float) -> Iterator[None]:
    """Interrupts the connection when the block takes longer, again and again until it ends."""
    ended = threading.Event()

    def interrupt() -> None:
        if not ended.wait(seconds):
            while not ended.wait(INTERRUPT_AGAIN_SECONDS):
                cursor.connection.interrupt()

    watch = threading.Thread(target=interrupt, name="sql-deadline", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        # An interrupt that comes late would stop what the connection does next.
        watch.join()


def _size(value: Any) -> int:
    """Roughly what a value takes."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Mapping):
        return 16 + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return 16 + sum(map(_size, value))
    return 16
