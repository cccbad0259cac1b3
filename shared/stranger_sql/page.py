"""One page of a stranger's SQL on a locked DuckDB, checked and bounded; it runs inside a cell and nowhere else."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from shared.answers.encode import Format, Numbers, arrow_body, csv_body, json_rows
from shared.duck import Duck, Result, literal, quoted
from shared.errors import AppError
from shared.stranger_sql.base import SqlLimits, SqlPage
from shared.stranger_sql.errors import InvalidSqlError, SqlNeedsTooMuchError
from shared.stranger_sql.explain import explained, plan_of
from shared.stranger_sql.functions import words
from shared.stranger_sql.guard import SqlGuard
from shared.stranger_sql.locked import LockedDuck, Prepared
from shared.stranger_sql.mistakes import Ran, mistake
from shared.stranger_sql.ready import made_ready

INTERRUPT_AGAIN_SECONDS = 0.05
FETCHED_ROWS = 1_024
MAX_PREPARED = 200
_BEFORE = "SELECT * FROM (\n"
_PAGE = "temp.page"
_SMALL_TYPES = words(
    """BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DATE
    TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL UUID"""
) | {"TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE"}


@dataclass(frozen=True)
class Order:
    """What is to be run: text, values by name, the types they are cast to, and which page of it, as what."""

    sql: str
    values: Mapping[str, Any]
    types: Mapping[str, str]
    limit: int
    offset: int
    format: Format
    numbers: Numbers


def page_of(locked: LockedDuck, order: Order, limits: SqlLimits) -> SqlPage:
    """Check it, run it, write it down. Raises what an SqlRunner raises."""
    cursor = locked.duck.cursor()
    try:
        with _told(), _deadline(cursor, limits.seconds):
            prepared = _prepared_or_plan(locked, cursor, order, limits)
            if order.format in ("parquet", "arrow"):
                return _file(locked, cursor, order, prepared, limits)
            sql, values = _asked(order, prepared)
            with _told(Ran(order.sql, sql, _BEFORE)):
                found = cursor.connection.execute(sql, values)
                columns = tuple(told[0] for told in found.description)
                types = tuple(str(told[1]) for told in found.description)
                rows = _rows(found, types, limits)
            result = Result(columns, types, rows[: order.limit])
            body = csv_body(columns, result.rows) if order.format == "csv" else json_rows(result, order.numbers)
            # With the names of its columns in each row, JSON may be longer than what was counted.
            if len(body) > limits.answer_bytes:
                raise _too_large(limits)
            return SqlPage(columns, types, prepared.tables, body, len(rows) > order.limit, prepared.repeatable)
    finally:
        cursor.close()


def _asked(order: Order, prepared: Prepared) -> tuple[str, dict[str, Any] | None]:
    """The page's SQL, with one row more than it has, and its values."""
    sql = f"{_BEFORE}{prepared.sql}\n) LIMIT {order.limit + 1} OFFSET {order.offset}"
    return sql, _given(order, prepared.parameters) or None


def _given(order: Order, parameters: Collection[str]) -> dict[str, Any]:
    """The values of the parameters. Raises InvalidSqlError."""
    if missing := set(parameters) - order.values.keys():
        raise InvalidSqlError(f"The parameter {min(missing)} has no value.", parameter=min(missing))
    return {name: order.values[name] for name in parameters}


def _rows(found: Any, types: Sequence[str], limits: SqlLimits) -> list[tuple[Any, ...]]:
    """All rows, as long as they are not too large together; where they are large, a few are fetched at a time."""
    large = [place for place, kind in enumerate(types) if kind not in _SMALL_TYPES and not kind.startswith("DECIMAL(")]
    rows: list[tuple[Any, ...]] = []
    room, largest, few = limits.answer_bytes, 1, 1
    while batch := found.fetchmany(few):
        for row in batch:
            size = 16 * len(row) + sum(_size(row[place]) for place in large)
            room, largest = room - size, max(largest, size)
        if room < 0:
            raise _too_large(limits)
        rows += batch
        few = max(1, min(FETCHED_ROWS, limits.answer_bytes // (16 * largest)))
    return rows


def _file(locked: LockedDuck, cursor: Duck, order: Order, prepared: Prepared, limits: SqlLimits) -> SqlPage:
    sql, values = _asked(order, prepared)
    make = "CREATE TEMP TABLE page AS "
    with _told(Ran(order.sql, make + sql, make + _BEFORE)):
        cursor.connection.execute(make + sql, values)
    count = int(cursor.value(f"SELECT count(*) FROM {_PAGE}"))
    rows = f"(FROM {_PAGE} LIMIT {order.limit})"
    if order.format == "arrow":
        body = arrow_body(cursor, rows)
    else:
        path = locked.spill / f"{uuid.uuid4().hex}.parquet"
        try:
            cursor.connection.execute(f"COPY (FROM {rows}) TO {literal(str(path))} (FORMAT parquet)")
            body = path.read_bytes()
        finally:
            path.unlink(missing_ok=True)
    if len(body) > limits.answer_bytes:
        raise _too_large(limits)
    return SqlPage((), (), prepared.tables, body, count > order.limit, prepared.repeatable)


def _too_large(limits: SqlLimits) -> SqlNeedsTooMuchError:
    return SqlNeedsTooMuchError(f"An answer may have {limits.answer_bytes:,} bytes. Ask for less.")


def _prepared_or_plan(locked: LockedDuck, cursor: Duck, order: Order, limits: SqlLimits) -> Prepared:
    """What is to be run: the SQL, or for an EXPLAIN of it, the rows of its plan."""
    sql, is_explain = explained(order.sql)
    prepared = _prepared(locked, cursor, replace(order, sql=sql))
    if not is_explain:
        return prepared
    values = _given(order, prepared.parameters) or None
    plan = plan_of(locked, cursor, prepared.sql, values, limits)
    return Prepared(plan, (), (), prepared.repeatable)


def _prepared(locked: LockedDuck, cursor: Duck, order: Order) -> Prepared:
    """The SQL checked and made ready, once for each text of a session; what is run was checked as it is run."""

    def columns(sql: str) -> int:
        with _told(Ran(order.sql, f"DESCRIBE {sql}", "DESCRIBE ", names)):
            return len(cursor.connection.execute(f"DESCRIBE {sql}", values or None).fetchall())

    def names() -> set[str]:
        return {column for table in checked.tables for column in locked.duck.columns(quoted(table))}

    key = repr((order.sql, sorted(order.types.items())))
    if key not in locked.prepared:
        guard = SqlGuard(cursor, locked.tables)
        checked = guard.check(order.sql)
        values = _given(order, checked.parameters)
        sql = made_ready(cursor, checked, order.types, columns)
        guard.check(sql)
        if len(locked.prepared) >= MAX_PREPARED:
            locked.prepared.clear()
        locked.prepared[key] = Prepared(
            sql, tuple(sorted(checked.parameters)), tuple(sorted(checked.tables)), repeatable=not checked.doubts
        )
    return locked.prepared[key]


@contextmanager
def _told(ran: Ran | None = None) -> Iterator[None]:
    """Errors of the engine become those that may be told, with their place in what was asked."""
    try:
        yield
    except Exception as error:
        if isinstance(error, AppError) and not isinstance(error.__cause__, Exception):
            raise
        cause = error.__cause__ if isinstance(error, AppError) and error.__cause__ else error
        raise mistake(cause, ran) from None


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
