"""The rows of a dataset: listed by filters and found by key.

The rule: column names are checked against the table, and values are bound and cast to the column's type.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from shared.catalog.reader import LakeReader, PinnedLake
from shared.datasets.contract import Contract
from shared.duck import Result, quoted
from shared.errors import (
    ForbiddenError,
    InvalidParameterError,
    UnknownColumnError,
    UnknownRowError,
)
from shared.keys import Principal
from shared.paging import Cursors, page_size, subject_of
from shared.remembered import Remembered
from shared.snapshots import contract_of, contracts_in

OPERATORS = {
    "eq": "{column} = {value}",
    "ne": "{column} IS DISTINCT FROM {value}",
    "gt": "{column} > {value}",
    "gte": "{column} >= {value}",
    "lt": "{column} < {value}",
    "lte": "{column} <= {value}",
    "in": "list_contains({value}, {column})",
    "contains": "contains(lower({column}::VARCHAR), lower({value}))",
    "null": "({column} IS NULL) = {value}",
}
"""What may follow ``column__`` in a filter; ``in`` takes values separated by commas."""

_PERSONAL_SCOPE = "admin"


@dataclass(frozen=True)
class Filter:
    """One condition as it was asked for: ``name`` is a column, or a column and an operator joined by ``__``."""

    name: str
    text: str


@dataclass(frozen=True)
class RowsAsked:
    """A list of rows: all filters hold, ``order`` names columns (``-``: descending), no ``columns`` means all."""

    filters: tuple[Filter, ...] = ()
    order: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    limit: int | None = None
    cursor: str | None = None
    snapshot: int | None = None
    as_of: datetime | None = None


@dataclass(frozen=True)
class RowsFound:
    """A page of rows: DuckDB types by column, the snapshot, the next cursor, the columns that were blotted out."""

    types: dict[str, str]
    rows: list[dict[str, Any]]
    snapshot: int
    next: str | None = None
    masked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The rows of all tenants' datasets."""

    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    max_page_rows: int = 10_000
    contracts: Remembered[dict[str, Contract]] = field(default_factory=Remembered)

    def find(self, principal: Principal, dataset: str, asked: RowsAsked) -> RowsFound:
        """A page of rows in the order asked for, then by key.

        Raises UnknownDatasetError, UnknownColumnError, InvalidParameterError, InvalidCursorError, PageTooLargeError,
        ForbiddenError for a condition on personal data, SnapshotNotFoundError.
        """
        rows = page_size(asked.limit, self.max_page_rows)
        shape = {"filters": [(f.name, f.text) for f in asked.filters], "order": asked.order, "columns": asked.columns}
        subject = subject_of(f"rows/{dataset}", shape)
        position = self.cursors.open(principal.tenant, subject, asked.cursor) if asked.cursor else None
        snapshot = position["snapshot"] if position else asked.snapshot
        with self.reader_of(principal.tenant).pin(snapshot, None if position else asked.as_of) as lake:
            table = self.table(principal, lake, dataset)
            shown = table.checked(asked.columns) or tuple(table.types)
            order = table.order(asked.order)
            conditions, bound = table.conditions(asked.filters)
            if position:
                conditions.append(_after(order, table.types, position["after"], bound))
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            ordered = ", ".join(f"{quoted(name)} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in order)
            places = ", ".join(f"{quoted(name)}::VARCHAR" for name, _ in order)
            selected = ", ".join(table.selected(name) for name in shown)
            result = lake.duck.query(
                f"SELECT {selected}, [{places}] AS _place FROM {quoted(dataset)} {where} "
                f"ORDER BY {ordered} LIMIT $rows",
                {**bound, "rows": rows + 1},
            )
            pinned = lake.snapshot_id
        after = None
        if len(result.rows) > rows:
            place = {"after": result.rows[rows - 1][-1], "snapshot": pinned}
            after = self.cursors.seal(principal.tenant, subject, place)
        masked = tuple(name for name in shown if name in table.masked)
        types = {name: table.types[name] for name in shown}
        return RowsFound(types, documents_of(result, rows), pinned, after, masked)

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
        with self.reader_of(principal.tenant).pin(snapshot, as_of) as lake:
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
        hidden = () if _PERSONAL_SCOPE in principal.scopes else tuple(name for name in types if name in personal)
        return Table(lake, contract, types, hidden)


def etag_of(found: RowsFound) -> str:
    """The strong ETag of one row: the same while the row is."""
    told = json.dumps(found.rows[0], default=str, sort_keys=True).encode()
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(told).digest()[:15]).decode()}"'


def key_parts(key: str, contract: Contract) -> list[str]:
    """A key of an address taken apart: its columns' texts in the contract's order, joined by commas.

    A comma inside a part is written twice. Raises InvalidParameterError when the number of parts is another.
    """
    if len(contract.key) == 1:
        return [key]
    parts = [part.replace("\0", ",") for part in key.replace(",,", "\0").split(",")]
    if "\0" in key or len(parts) != len(contract.key):
        raise InvalidParameterError(f"key: {len(contract.key)} parts joined by commas: {','.join(contract.key)}")
    return parts


@dataclass(frozen=True)
class Table:
    """A dataset's table as one request may see it: columns and types, and which ones are blotted out."""

    lake: PinnedLake
    contract: Contract
    types: dict[str, str]
    masked: tuple[str, ...]

    def checked(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names, all of them columns. Raises UnknownColumnError."""
        for name in names:
            if name not in self.types:
                near = get_close_matches(name, self.types, 1, 0.5)
                hint = f" Did you mean {near[0]}?" if near else f" There are {', '.join(list(self.types)[:20])}."
                raise UnknownColumnError(f"{self.contract.name} has no column {name[:63]}.{hint}", column=name[:63])
        return names

    def selected(self, name: str) -> str:
        """A column in a SELECT list."""
        column = quoted(name)
        return f"NULL::{self.types[name]} AS {column}" if name in self.masked else column

    def order(self, asked: tuple[str, ...]) -> list[tuple[str, bool]]:
        """(column, descending) for each column asked for, then the key, so that no two rows tie."""
        order = [(name.removeprefix("-"), name.startswith("-")) for name in asked]
        self._open(self.checked(tuple(name for name, _ in order)))
        named = {name for name, _ in order}
        return order + [(name, False) for name in self.contract.key if name not in named]

    def conditions(self, filters: Sequence[Filter]) -> tuple[list[str], dict[str, Any]]:
        """SQL conditions and the values bound to them."""
        conditions, bound = [], {}
        for number, asked in enumerate(filters):
            name, operator = self._taken_apart(asked.name)
            self._open((name,))
            parameter = f"f{number}"
            bound[parameter] = self._value(name, operator, asked.text)
            value = f"${parameter}::{self._sql_type(name, operator)}"
            conditions.append(OPERATORS[operator].format(column=quoted(name), value=value))
        return conditions, bound

    def by_key(self, key: str) -> tuple[str, dict[str, Any]]:
        """The condition that finds the row with the key of an address."""
        named = zip(self.contract.key, key_parts(key, self.contract), strict=True)
        filters = [Filter(f"{name}__eq", text) for name, text in named]
        conditions, bound = self.conditions(filters)
        return " AND ".join(conditions), bound

    def _taken_apart(self, asked: str) -> tuple[str, str]:
        if asked in self.types:
            return asked, "eq"
        name, separator, operator = asked.rpartition("__")
        if separator and name in self.types:
            if operator not in OPERATORS:
                raise InvalidParameterError(f"{asked}: an operator is one of {', '.join(OPERATORS)}")
            return name, operator
        self.checked((name if separator and operator in OPERATORS else asked,))
        raise AssertionError  # pragma: no cover - checked() refuses what is no column

    def _open(self, names: tuple[str, ...]) -> None:
        # A condition on a column would tell its values one guess at a time.
        for name in names:
            if name in self.masked:
                raise ForbiddenError(f"{name} is personal data; the scope {_PERSONAL_SCOPE} may ask for it.")

    def _sql_type(self, name: str, operator: str) -> str:
        if operator == "contains":
            return "VARCHAR"
        if operator == "null":
            return "BOOLEAN"
        return self.types[name] + ("[]" if operator == "in" else "")

    def _value(self, name: str, operator: str, text: str) -> Any:
        """The text, which is bound as it is, once it is known to be one of the column's values."""
        if "\0" in text:
            raise InvalidParameterError(f"{name}: holds a character that no value has")
        value: Any = text.split(",") if operator == "in" else text
        wanted = self._sql_type(name, operator)
        if self.lake.duck.value(f"SELECT TRY_CAST($value AS {wanted}) IS NULL", {"value": value}):
            kind = "true or false" if operator == "null" else wanted.removesuffix("[]")
            raise InvalidParameterError(f"{name}: {text[:80]!r} is not a value of {kind}")
        if operator == "in" and self.lake.duck.value(
            f"SELECT list_contains([x IS NULL FOR x IN TRY_CAST($value AS {wanted})], true)", {"value": value}
        ):
            raise InvalidParameterError(f"{name}: not every part of {text[:80]!r} is a value of {wanted[:-2]}")
        return value


def _after(
    order: Sequence[tuple[str, bool]], types: Mapping[str, str], place: Sequence[str | None], bound: dict[str, Any]
) -> str:
    """The condition for rows that come after a place in the order; missing values come last in either direction."""
    alternatives, equal = [], []
    for number, ((name, down), text) in enumerate(zip(order, place, strict=True)):
        column = quoted(name)
        if text is None:
            equal.append(f"{column} IS NULL")
            continue
        value = f"$p{number}::{types[name]}"
        bound[f"p{number}"] = text
        further = f"({column} {'<' if down else '>'} {value} OR {column} IS NULL)"
        alternatives.append(f"({' AND '.join([*equal, further])})")
        equal.append(f"{column} = {value}")
    return f"({' OR '.join(alternatives)})" if alternatives else "false"


def documents_of(result: Result, rows: int) -> list[dict[str, Any]]:
    names = [name for name in result.columns if name != "_place"]
    return [dict(zip(names, row, strict=False)) for row in result.rows[:rows]]
