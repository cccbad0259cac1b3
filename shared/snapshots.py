"""What a lake holds and held: its datasets, its snapshots, and what changed between two of them; reads only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.catalog.reader import LakeReader, PinnedLake
from shared.datasets.contract import Contract
from shared.datasets.registry import built_in
from shared.duck import quoted
from shared.errors import InvalidParameterError, UnknownDatasetError
from shared.paging import Cursors, page_size, subject_of
from shared.remembered import Remembered
from shared.sql.load import statement
from shared.values import Snapshot


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset as one snapshot has it; ``schema`` are the stored columns and DuckDB types.

    ``newest_at`` is the newest time its rows ever told (the contract's time column), ``updated_at`` when rows were last
    brought; ``quality`` is the newest report, None before the first.
    """

    contract: Contract
    schema: dict[str, str]
    rows: int
    files: int
    bytes: int
    newest_at: datetime | None = None
    updated_at: datetime | None = None
    uploads: int = 0
    quality: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.contract.name


@dataclass(frozen=True)
class RowChange:
    """How one row differs between two snapshots: ``change`` is added, removed or changed; absent sides are None."""

    change: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Changes:
    """Differences of one dataset, one page of them, or only the counts per dataset."""

    datasets: dict[str, dict[str, int]]
    rows: list[RowChange] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    next: str | None = None


@dataclass(frozen=True)
class Snapshots:
    """The datasets and snapshots of all tenants' lakes."""

    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    max_page_rows: int = 10_000
    facts: Remembered[dict[str, DatasetFacts]] = field(default_factory=Remembered)

    def datasets(
        self, tenant: str, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> tuple[list[DatasetFacts], int]:
        """Every dataset of a snapshot, by name, and that snapshot. Raises SnapshotNotFoundError."""
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            return list(self.facts(tenant, lake, _facts).values()), lake.snapshot_id

    def dataset(
        self, tenant: str, name: str, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> tuple[DatasetFacts, int]:
        """One dataset, and the snapshot it was looked at. Raises UnknownDatasetError, SnapshotNotFoundError."""
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            found = self.facts(tenant, lake, _facts).get(name)
            if found is None:
                raise UnknownDatasetError(f"There is no dataset {name[:63]} in this snapshot.")
            return found, lake.snapshot_id

    def newest(
        self,
        tenant: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> tuple[list[Snapshot], str | None, int]:
        """Snapshots, newest first, the cursor of the next page, and the newest id looked at."""
        rows = page_size(limit, self.max_page_rows)
        subject = subject_of("snapshots", {})
        position = self.cursors.open(tenant, subject, cursor) if cursor else {"newest": snapshot, "before": None}
        with self.reader_of(tenant).pin(position["newest"], None if cursor else as_of) as lake:
            found = _snapshots(lake, before=position["before"], rows=rows + 1)
            pinned = lake.snapshot_id
        after = None
        if len(found) > rows:
            after = self.cursors.seal(tenant, subject, {"newest": pinned, "before": found[rows - 1].id})
        return found[:rows], after, pinned

    def one(self, tenant: str, snapshot: int) -> Snapshot:
        """One snapshot. Raises SnapshotNotFoundError."""
        with self.reader_of(tenant).pin(snapshot) as lake:
            return _snapshots(lake, before=snapshot + 1, rows=1)[0]

    def changes(
        self,
        tenant: str,
        from_id: int,
        to_id: int,
        *,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sees_personal: bool = False,
    ) -> Changes:
        """What is different at ``to_id`` from ``from_id``: counts per dataset, or the rows of one, by key.

        A row that was changed and changed back is no difference; personal columns are None unless ``sees_personal``.
        Raises SnapshotNotFoundError, UnknownDatasetError, InvalidCursorError, and InvalidParameterError when
        ``from_id`` is the newer one.
        """
        if from_id > to_id:
            raise InvalidParameterError("from: is newer than to")
        rows = page_size(limit, self.max_page_rows)
        subject = subject_of("changes", {"from": from_id, "to": to_id, "dataset": dataset})
        offset = self.cursors.open(tenant, subject, cursor)["offset"] if cursor else 0
        reader = self.reader_of(tenant)
        if from_id == to_id:
            self.one(tenant, to_id)
            return Changes({})
        with reader.pin(from_id) as older, reader.pin(to_id) as newer:
            if dataset is None:
                contracts = _contracts_of_both(older, newer)
                counted = {name: _count_changes(older, newer, contract) for name, contract in contracts.items()}
                return Changes({name: counts for name, counts in counted.items() if any(counts.values())})
            contract = contract_of(_contracts_of_both(older, newer), dataset)
            types = (newer if dataset in newer.tables() else older).duck.columns(quoted(dataset))
            counts = _count_changes(older, newer, contract)
            found = _changed_rows(older, newer, contract, types, rows=rows + 1, offset=offset)
        after = self.cursors.seal(tenant, subject, {"offset": offset + rows}) if len(found) > rows else None
        hidden = {column.name for column in contract.columns if column.personal and not sees_personal}
        changed = [RowChange(word, _without(was, hidden), _without(now, hidden)) for word, was, now in found[:rows]]
        return Changes({dataset: counts}, changed, types, after)


def contracts_in(lake: PinnedLake) -> dict[str, Contract]:
    """The contract of every dataset of the snapshot, by name: the newest registered one, else the built-in one."""
    found = dict(built_in())
    for name, _, body in lake.duck.execute(statement("lake/contracts")):
        found[name] = Contract.model_validate_json(body)
    return {name: found[name] for name in sorted(found.keys() & lake.tables())}


def contract_of(contracts: Mapping[str, Contract], name: str) -> Contract:
    """The contract of one dataset. Raises UnknownDatasetError."""
    if name not in contracts:
        raise UnknownDatasetError(f"There is no dataset {name[:63]} in this snapshot.")
    return contracts[name]


def _facts(lake: PinnedLake) -> dict[str, DatasetFacts]:
    files = {row[0]: (row[1], row[2]) for row in lake.duck.execute(statement("lake/files"), {"lake": lake.alias})}
    times = {row[0]: row[1:] for row in lake.duck.execute(statement("lake/newest_times"))}
    result = lake.duck.query(statement("lake/last_reports"))
    reports = {row[0]: dict(zip(result.columns, row, strict=True)) for row in result.rows}
    facts = {}
    for name, contract in contracts_in(lake).items():
        newest_at, updated_at, uploads = times.get(name, (None, None, 0))
        file_count, size_bytes = files.get(name, (0, 0))
        report = reports.get(name)
        facts[name] = DatasetFacts(
            contract=contract,
            schema=lake.duck.columns(quoted(name)),
            rows=int(lake.duck.value(f"SELECT count(*) FROM {quoted(name)}")),
            files=file_count,
            bytes=size_bytes,
            newest_at=newest_at,
            updated_at=updated_at,
            uploads=uploads,
            quality={**report, "measures": json.loads(report["measures"] or "{}")} if report else None,
        )
    return facts


def _snapshots(lake: PinnedLake, *, before: int | None, rows: int) -> list[Snapshot]:
    found = lake.duck.execute(
        statement("lake/snapshots"), {"lake": lake.alias, "newest": lake.snapshot_id, "before": before, "rows": rows}
    )
    return [
        Snapshot(
            id=row[0],
            committed_at=row[1],
            author=row[2] or "",
            message=row[3] or "",
            tables=json.loads(row[4]).get("tables", {}) if row[4] else {},
        )
        for row in found
    ]


def _contracts_of_both(older: PinnedLake, newer: PinnedLake) -> dict[str, Contract]:
    """Every dataset that one of the two has: one that is gone counts too, by the contract it had."""
    found = contracts_in(older) | contracts_in(newer)
    return {name: found[name] for name in sorted(found)}


def _count_changes(older: PinnedLake, newer: PinnedLake, contract: Contract) -> dict[str, int]:
    if contract.name not in older.tables():
        rows = int(newer.duck.value(f"SELECT count(*) FROM {quoted(contract.name)}"))
        return {"added": rows, "removed": 0, "changed": 0}
    if contract.name not in newer.tables():
        rows = int(older.duck.value(f"SELECT count(*) FROM {quoted(contract.name)}"))
        return {"added": 0, "removed": rows, "changed": 0}
    sql = f"SELECT change, count(*) FROM ({_difference(older, newer, contract)}) GROUP BY change"
    counts = dict(newer.duck.execute(sql, _range(older, newer, contract)))
    return {word: counts.get(word, 0) for word in ("added", "removed", "changed")}


def _changed_rows(
    older: PinnedLake, newer: PinnedLake, contract: Contract, types: Mapping[str, str], *, rows: int, offset: int
) -> list[tuple[Any, ...]]:
    lake = newer
    bound: dict[str, Any] = {}
    if contract.name not in newer.tables():
        lake = older
        sql = f"SELECT 'removed' AS change, row_ AS was, NULL AS is_ FROM {quoted(contract.name)} AS row_"
    elif contract.name not in older.tables():
        sql = f"SELECT 'added' AS change, NULL AS was, row_ AS is_ FROM {quoted(contract.name)} AS row_"
    else:
        sql, bound = _difference(older, newer, contract), _range(older, newer, contract)
    order = ", ".join(f"coalesce(is_, was).{quoted(name)}" for name in contract.key)
    return lake.duck.execute(
        f"SELECT change, was, is_ FROM ({sql}) ORDER BY {order} LIMIT $rows OFFSET $offset",
        {**bound, "rows": rows, "offset": offset},
    )


def _without(row: dict[str, Any] | None, hidden: set[str]) -> dict[str, Any] | None:
    return row and {name: None if name in hidden else value for name, value in row.items()}


def _difference(older: PinnedLake, newer: PinnedLake, contract: Contract) -> str:
    """One row per key that is not the same: only keys that any commit between touched are compared."""
    name, key = quoted(contract.name), ", ".join(quoted(column) for column in contract.key)
    # Columns that came since stand in the older rows as NULL, so that both sides have one shape.
    columns = list(newer.duck.columns(name))
    known = set(older.duck.columns(f"{quoted(older.alias)}.main.{name}"))
    then = ", ".join(quoted(column) if column in known else f"NULL AS {quoted(column)}" for column in columns)
    now = ", ".join(quoted(column) for column in columns)
    first = quoted(contract.key[0])
    equal = " AND ".join(f"was_.{quoted(column)} IS NOT DISTINCT FROM now_.{quoted(column)}" for column in contract.key)
    return f"""
        WITH touched AS (
            SELECT DISTINCT {key} FROM ducklake_table_changes($lake, 'main', $table, $first, $last)
        ),
        was_ AS (SELECT {then} FROM {quoted(older.alias)}.main.{name} SEMI JOIN touched USING ({key})),
        now_ AS (SELECT {now} FROM {quoted(newer.alias)}.main.{name} SEMI JOIN touched USING ({key}))
        SELECT
            CASE
                WHEN was_.{first} IS NULL THEN 'added'
                WHEN now_.{first} IS NULL THEN 'removed'
                ELSE 'changed'
            END AS change,
            CASE WHEN was_.{first} IS NOT NULL THEN was_ END AS was,
            CASE WHEN now_.{first} IS NOT NULL THEN now_ END AS is_
        FROM was_ FULL JOIN now_ ON {equal}
        WHERE was_ IS DISTINCT FROM now_
    """


def _range(older: PinnedLake, newer: PinnedLake, contract: Contract) -> dict[str, Any]:
    return {"lake": newer.alias, "table": contract.name, "first": older.snapshot_id + 1, "last": newer.snapshot_id}
