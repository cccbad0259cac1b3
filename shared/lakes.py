"""What a lake holds, read-only: its datasets with contract, schema, statistics and freshness, and its snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.catalog.reader import LakeReader, PinnedLake
from shared.datasets.contract import Contract
from shared.datasets.registry import built_in
from shared.duck import quoted
from shared.errors import SnapshotNotFoundError, UnknownDatasetError
from shared.sql.load import statement


@dataclass(frozen=True)
class Lakes:
    """The lakes of all tenants; every call names one, and the snapshot it looks at."""

    reader_of: Callable[[str], LakeReader]

    def datasets(self, tenant: str, snapshot: int | None, as_of: datetime | None) -> dict[str, Any]:
        """Every dataset: files, bytes, freshness, and whether its contract is built in."""
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            contracts, fresh = _contracts(lake), _freshness(lake)
            rows = lake.duck.execute(statement("lake/statistics"), {"alias": lake.alias})
            found = [
                {
                    "name": name,
                    "description": contracts[name].description,
                    "contract_version": contracts[name].version,
                    "inferred": contracts[name].inferred,
                    "files": files,
                    "bytes": size,
                    **fresh.get(name, {"newest_at": None, "updated_at": None}),
                }
                for name, files, size in rows
                if name in contracts
            ]
            return {"snapshot": lake.snapshot_id, "datasets": found}

    def dataset(self, tenant: str, name: str, snapshot: int | None, as_of: datetime | None) -> dict[str, Any]:
        """One dataset: contract, schema as stored, rows, freshness. Raises UnknownDatasetError."""
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            contract = contract_in(lake, name)
            schema = lake.duck.execute(f"DESCRIBE {quoted(name)}")
            return {
                "snapshot": lake.snapshot_id,
                "name": name,
                "rows": lake.duck.value(f"SELECT count(*) FROM {quoted(name)}"),
                "contract": contract.model_dump(mode="json"),
                "schema": [{"name": row[0], "type": row[1]} for row in schema],
                **_freshness(lake).get(name, {"newest_at": None, "updated_at": None}),
            }

    def snapshots(self, tenant: str, *, limit: int, before: int | None) -> dict[str, Any]:
        """Snapshots, newest first: id, time, author, message, and rows added and removed by table."""
        with self.reader_of(tenant).pin() as lake:
            rows = lake.duck.execute(
                f"SELECT snapshot_id, snapshot_time, author, commit_message, commit_extra_info "
                f"FROM {quoted(lake.alias)}.snapshots() "
                "WHERE snapshot_id > 0 AND ($before::BIGINT IS NULL OR snapshot_id < $before) "
                "ORDER BY snapshot_id DESC LIMIT $limit",
                {"before": before, "limit": limit},
            )
        return {"snapshots": [_snapshot(row) for row in rows]}

    def snapshot(self, tenant: str, snapshot: int) -> dict[str, Any]:
        """One snapshot. Raises SnapshotNotFoundError."""
        found = self.snapshots(tenant, limit=1, before=snapshot + 1)["snapshots"]
        if not found or found[0]["id"] != snapshot:
            raise SnapshotNotFoundError(f"There is no snapshot {snapshot}; it may have expired.")
        return dict(found[0])

    def changes(self, tenant: str, start: int, end: int, dataset: str, *, limit: int, offset: int) -> dict[str, Any]:
        """Rows that the snapshots after ``start`` up to ``end`` added and removed. Raises UnknownDatasetError."""
        for one in (start, end):
            self.snapshot(tenant, one)
        with self.reader_of(tenant).pin() as lake:
            contract_in(lake, dataset)
            found = lake.duck.query(
                "SELECT * FROM ducklake_table_changes($alias, 'main', $dataset, $start, $end) "
                "ORDER BY snapshot_id, rowid, change_type LIMIT $limit OFFSET $offset",
                {
                    "alias": lake.alias,
                    "dataset": dataset,
                    "start": start + 1,
                    "end": end,
                    "limit": limit,
                    "offset": offset,
                },
            )
        return {"dataset": dataset, "rows": [dict(zip(found.columns, row, strict=True)) for row in found.rows]}


def contract_in(lake: PinnedLake, name: str) -> Contract:
    """The contract of a dataset of this snapshot. Raises UnknownDatasetError."""
    contract = _contracts(lake).get(name)
    if contract is None or name not in lake.tables():
        raise UnknownDatasetError(f"There is no dataset {name[:63]}.")
    return contract


def _contracts(lake: PinnedLake) -> dict[str, Contract]:
    found = dict(built_in())
    for name, body in lake.duck.execute("SELECT name, body FROM teal.contracts ORDER BY name, version"):
        found[name] = Contract.model_validate_json(body)
    return found


def _freshness(lake: PinnedLake) -> dict[str, dict[str, Any]]:
    rows = lake.duck.execute(statement("lake/freshness"))
    return {name: {"newest_at": newest, "updated_at": updated} for name, newest, updated in rows}


def _snapshot(row: tuple[Any, ...]) -> dict[str, Any]:
    extra = json.loads(row[4]) if row[4] else {}
    return {
        "id": row[0],
        "committed_at": row[1].astimezone(UTC).isoformat(),
        "author": row[2],
        "message": row[3],
        "tables": extra.get("tables", {}),
    }
