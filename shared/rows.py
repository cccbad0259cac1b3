"""The rows of a dataset: listed by filters and found by key, as values or as a file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.allowance import Allowance
from shared.answers.encode import Format, arrow_body, parquet_body
from shared.catalog.reader import LakeReader, PinnedLake, PinRestricted, pinned
from shared.datasets.contract import Contract
from shared.duck import Duck, Result, quoted
from shared.errors import UnknownRowError
from shared.keys import Principal
from shared.paging import Cursors, page_size, subject_of
from shared.remembered import Remembered
from shared.row_table import Filter, Table, after
from shared.snapshots import contract_of, contracts_in
from shared.sql.load import statement


@dataclass(frozen=True)
class RowsAsked:
    """A list of rows: all filters hold, ``order`` names columns (``-``: descending), no ``columns`` means all.

    In the formats ``parquet`` and ``arrow`` the engine itself writes the page.
    """

    filters: tuple[Filter, ...] = ()
    order: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    limit: int | None = None
    cursor: str | None = None
    snapshot: int | None = None
    as_of: datetime | None = None
    format: Format = "json"


@dataclass(frozen=True)
class RowsFound:
    """A page of rows: DuckDB types by column, the snapshot, the next cursor, the columns that were blotted out.

    ``file`` is the page as bytes when Parquet or Arrow was asked for; ``rows`` is empty then.
    """

    types: dict[str, str]
    rows: list[dict[str, Any]]
    snapshot: int
    next: str | None = None
    masked: tuple[str, ...] = ()
    file: bytes = b""


@dataclass(frozen=True)
class Rows:
    """The rows of all tenants' datasets."""

    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    max_page_rows: int = 10_000
    restricted: PinRestricted | None = None
    allowance: Allowance | None = None
    files: Remembered[dict[str, int]] = field(default_factory=Remembered)
    contracts: Remembered[dict[str, Contract]] = field(default_factory=Remembered)

    def find(self, principal: Principal, dataset: str, asked: RowsAsked) -> RowsFound:
        """A page of rows in the order asked for, then by key.

        Raises UnknownDatasetError, UnknownColumnError, InvalidParameterError, InvalidCursorError, PageTooLargeError,
        ForbiddenError for a condition on personal data, SnapshotNotFoundError, RulesDoNotFitError, QueryTooLargeError,
        DayUsedUpError.
        """
        limit = page_size(asked.limit, min(self.max_page_rows, principal.limits.page_rows or self.max_page_rows))
        shape = {"filters": [(f.name, f.text) for f in asked.filters], "order": asked.order, "columns": asked.columns}
        subject = subject_of(f"rows/{dataset}", shape)
        position = self.cursors.open(principal.tenant, subject, asked.cursor) if asked.cursor else None
        snapshot = position["snapshot"] if position else asked.snapshot
        with self._pinned(principal, snapshot, None if position else asked.as_of) as lake:
            table = self.table(principal, lake, dataset)
            size = self._allow(principal, lake, dataset)
            shown = tuple(dict.fromkeys(table.checked(asked.columns))) or tuple(table.types)
            order = table.order(asked.order)
            conditions, bound = table.conditions(asked.filters)
            if position:
                conditions.append(after(order, table.types, position["after"], bound))
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            ordered = ", ".join(f"{quoted(name)} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in order)
            places = ", ".join(f"{quoted(name)}::VARCHAR" for name, _ in order)
            selected = ", ".join(table.selected(name) for name in shown)
            page = (
                f"SELECT {selected}, [{places}] AS {_PLACE} FROM {quoted(dataset)} {where} "
                f"ORDER BY {ordered} LIMIT {limit + 1}"
            )
            rows, file, place = _read(lake.duck, page, bound, limit, asked.format)
            at = lake.snapshot_id
        if self.allowance is not None:
            self.allowance.spend(principal.tenant, principal.limits, size)
        following = None
        if place is not None:
            following = self.cursors.seal(principal.tenant, subject, {"after": place, "snapshot": at})
        masked = tuple(name for name in shown if name in table.masked)
        types = {name: table.types[name] for name in shown}
        return RowsFound(types, rows, at, following, masked, file)

    def get(
        self,
        principal: Principal,
        dataset: str,
        key: str,
        *,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> RowsFound:
        """One row. Raises UnknownDatasetError, UnknownRowError, InvalidParameterError, SnapshotNotFoundError."""
        with self._pinned(principal, snapshot, as_of) as lake:
            table = self.table(principal, lake, dataset)
            condition, bound = table.by_key(key)
            selected = ", ".join(table.selected(name) for name in table.types)
            result = lake.duck.query(f"SELECT {selected} FROM {quoted(dataset)} WHERE {condition} LIMIT 1", bound)
            if not result.rows:
                raise UnknownRowError(f"{dataset} has no row with this key.")
            return RowsFound(table.types, documents_of(result, 1), lake.snapshot_id, None, table.masked)

    def table(self, principal: Principal, lake: PinnedLake, dataset: str) -> Table:
        """A dataset's table as this principal may see it. Raises UnknownDatasetError."""
        contract = contract_of(self.contracts(principal.tenant, lake, contracts_in), dataset)
        types = lake.duck.columns(quoted(dataset))
        personal = {column.name for column in contract.columns if column.personal}
        hidden = {column for name, column in principal.rules.masked if name == dataset}
        hidden |= set() if principal.sees_personal else personal
        return Table(lake, contract, types, tuple(name for name in types if name in hidden))

    def _allow(self, principal: Principal, lake: PinnedLake, dataset: str) -> int:
        """The bytes of a dataset, which its rows are looked for in. Raises QueryTooLargeError, DayUsedUpError."""
        if self.allowance is None:
            return 0
        size = self.files(principal.tenant, lake, _bytes_of).get(dataset, 0)
        self.allowance.require(principal.tenant, principal.limits, size)
        return size

    def _pinned(
        self, principal: Principal, snapshot: int | None, as_of: datetime | None
    ) -> AbstractContextManager[PinnedLake]:
        tenant, rules = principal.tenant, principal.rules
        return pinned(self.reader_of, self.restricted, tenant, rules, snapshot=snapshot, as_of=as_of)


def _bytes_of(lake: PinnedLake) -> dict[str, int]:
    """The bytes of the data files of every table."""
    return {name: int(size) for name, _, size in lake.duck.execute(statement("lake/files"), {"lake": lake.alias})}


def etag_of(found: RowsFound) -> str:
    """The strong ETag of one row: the same while the row is."""
    told = json.dumps(found.rows[0], default=str, sort_keys=True).encode()
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(told).digest()[:15]).decode()}"'


_PAGE = "temp.rows_page"
_PLACE = '"(place)"'
"""Where a row stands in the order, beside its columns; no column has such a name."""


def _read(
    duck: Duck, page: str, bound: dict[str, Any], limit: int, format: Format
) -> tuple[list[dict[str, Any]], bytes, list[str | None] | None]:
    """The rows of a page, or the file it is, and the place of its last row when there are more."""
    if format not in ("parquet", "arrow"):
        result = duck.query(page, bound)
        return documents_of(result, limit), b"", result.rows[limit - 1][-1] if len(result.rows) > limit else None
    duck.execute(f"CREATE OR REPLACE TEMP TABLE {_PAGE} AS {page}", bound)
    places = duck.execute(f"SELECT {_PLACE} FROM {_PAGE} LIMIT 2 OFFSET {limit - 1}")
    write = parquet_body if format == "parquet" else arrow_body
    file = write(duck, f"(SELECT * EXCLUDE ({_PLACE}) FROM {_PAGE} LIMIT {limit})")
    return [], file, places[0][0] if len(places) == 2 else None


def documents_of(result: Result, rows: int) -> list[dict[str, Any]]:
    """The first rows by column name, without the place."""
    names = [name for name in result.columns if quoted(name) != _PLACE]
    return [dict(zip(names, row, strict=False)) for row in result.rows[:rows]]
