"""Describe a lake to whoever writes SQL about it, or to a program that does: what is in it, and never a row of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.catalog.reader import LakeReader, PinnedLake
from shared.catalog.views import require_fit
from shared.datasets.contract import Column, Contract
from shared.datasets.published import PREFIX
from shared.duck import quoted
from shared.keys import Principal
from shared.published import PublishedQuestions
from shared.remembered import Remembered
from shared.snapshots import contracts_in
from shared.sql.load import statement as sql_of
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.functions import FUNCTIONS, TABLE_FUNCTIONS
from shared.stranger_sql.tree import MAX_BYTES

SQL_SCOPE = "sql"

SQL_RULE = (
    "One SELECT over these datasets, in DuckDB's dialect; values as $name, cast in the SQL. Nothing can be written, no "
    "file, setting or other schema is read, and functions outside a list are refused."
)
"""What SQL may do, in words."""


@dataclass(frozen=True)
class ColumnShown:
    """A column as a key may know it; ``type`` is DuckDB's, and a ``masked`` one is empty in every row."""

    name: str
    type: str
    description: str = ""
    required: bool = False
    allowed: tuple[str, ...] = ()
    references: str = ""
    personal: bool = False
    masked: bool = False


@dataclass(frozen=True)
class DatasetShown:
    """A dataset; ``time_column`` says when a row happened, "" where nothing does."""

    name: str
    description: str
    key: tuple[str, ...]
    time_column: str
    columns: tuple[ColumnShown, ...]


@dataclass(frozen=True)
class SqlAllowed:
    """What a query of this key may take."""

    max_seconds: float
    max_bytes: int
    page_rows: int


@dataclass(frozen=True)
class LakeSchema:
    """A snapshot of a lake as one key may know it; it ``is_partial`` where rules hide rows from that key.

    ``published`` are the tenant's own questions: name and title. ``sql`` is None for a key that may not ask SQL.
    ``reserved`` are words that stand for a name only in quotes.
    """

    snapshot: int
    committed_at: datetime
    is_partial: bool
    datasets: tuple[DatasetShown, ...]
    published: tuple[tuple[str, str], ...]
    sql: SqlAllowed | None
    reserved: frozenset[str] = frozenset()

    def document(self) -> dict[str, Any]:
        """As JSON has it; what a column does not have is left out."""
        told: dict[str, Any] = {
            "snapshot": self.snapshot,
            "committed_at": self.committed_at,
            "partial": self.is_partial,
            "datasets": [
                {
                    "name": one.name,
                    "description": one.description,
                    "key": one.key,
                    "time_column": one.time_column or None,
                    "columns": [_told(column) for column in one.columns],
                }
                for one in self.datasets
            ],
            "published": [{"name": PREFIX + name, "title": title} for name, title in self.published],
        }
        if self.sql is not None:
            functions = sorted(name for name in FUNCTIONS if name.isidentifier())
            told["sql"] = {
                "rule": SQL_RULE,
                "max_seconds": self.sql.max_seconds,
                "max_bytes": self.sql.max_bytes,
                "page_rows": self.sql.page_rows,
                "functions": functions,
                "table_functions": sorted(TABLE_FUNCTIONS),
            }
        return told


@dataclass(frozen=True)
class Stored:
    """What a snapshot has, whoever asks: contracts, the stored columns with their types, and the engine's own words."""

    contracts: Mapping[str, Contract]
    types: Mapping[str, Mapping[str, str]]
    reserved: frozenset[str]


@dataclass(frozen=True)
class DescribeLake:
    """Tells a key what there is; the rules that hide rows from it are not told."""

    reader_of: Callable[[str], LakeReader]
    published: PublishedQuestions
    limits: SqlLimits
    max_page_rows: int
    stored: Remembered[Stored] = field(default_factory=Remembered)

    def __call__(
        self, principal: Principal, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> LakeSchema:
        """A snapshot's schema. Raises SnapshotNotFoundError, RulesDoNotFitError."""
        with self.reader_of(principal.tenant).pin(snapshot, as_of) as lake:
            stored = self.stored(principal.tenant, lake, _stored)
            require_fit(principal.rules, stored.contracts)
            published, _ = self.published.all(principal.tenant, snapshot=lake.snapshot_id)
            return LakeSchema(
                snapshot=lake.snapshot_id,
                committed_at=lake.committed_at,
                is_partial=bool(principal.rules.rows),
                datasets=tuple(_dataset(contract, stored, principal) for contract in stored.contracts.values()),
                published=tuple((one.name, one.definition.title) for one in published),
                sql=self._sql(principal) if SQL_SCOPE in principal.scopes else None,
                reserved=stored.reserved,
            )

    def _sql(self, principal: Principal) -> SqlAllowed:
        rows = min(self.max_page_rows, principal.limits.page_rows or self.max_page_rows)
        return SqlAllowed(self.limits.seconds, MAX_BYTES, rows)


def _stored(lake: PinnedLake) -> Stored:
    contracts = contracts_in(lake)
    types = {name: lake.duck.columns(quoted(name)) for name in contracts}
    return Stored(contracts, types, frozenset(word for (word,) in lake.duck.execute(sql_of("lake/reserved_words"))))


def _dataset(contract: Contract, stored: Stored, principal: Principal) -> DatasetShown:
    hidden = {column for dataset, column in principal.rules.masked if dataset == contract.name}
    return DatasetShown(
        name=contract.name,
        description=contract.description,
        key=contract.key,
        time_column=contract.time_column or "",
        columns=tuple(
            _column(contract, contract.column(name) or Column(name=name), kind, name in hidden, principal)
            for name, kind in stored.types[contract.name].items()
        ),
    )


def _column(contract: Contract, column: Column, kind: str, hidden: bool, principal: Principal) -> ColumnShown:
    return ColumnShown(
        name=column.name,
        type=kind,
        description=column.description,
        required=column.required or column.name in contract.key,
        allowed=column.allowed,
        references=column.references or "",
        personal=column.personal,
        masked=hidden or (column.personal and not principal.sees_personal),
    )


def _told(column: ColumnShown) -> dict[str, Any]:
    told = {name: value for name, value in vars(column).items() if value}
    return {"name": column.name, "type": column.type, **told}
