"""What must be true of a lake after a crash run, asked with plain DuckDB and compared with the plan."""

from __future__ import annotations

import duckdb

from shared.duck import extension_path, literal
from shared.storage.base import ObjectStore
from tests.crash_plan import Plan
from tests.shop import TENANT

HOME = f"lake/{TENANT}/"


def check(plan: Plan, store: ObjectStore, said: str) -> None:
    """Raises AssertionError, with ``said`` in it, when anything is lost, doubled, or does not add up."""
    connection = duckdb.connect()
    try:
        for name in ("httpfs", "ducklake"):
            connection.execute(f"LOAD {literal(extension_path(name))}")
        access = store.duck_access()
        if access.kind:
            options = ", ".join(f"{key} {literal(value)}" for key, value in access.parameters.items())
            connection.execute(f"CREATE SECRET (TYPE {access.kind}, {options})")
        catalog = store.uri_of(HOME + "catalog.ducklake")
        connection.execute(f"ATTACH {literal('ducklake:' + catalog)} AS lake (READ_ONLY)")
        check_rows(plan, connection, said)
        check_ledger(plan, store, connection, said)
        check_files(store, connection, said)
    finally:
        connection.close()


def check_rows(plan: Plan, connection: duckdb.DuckDBPyConnection, said: str) -> None:
    """Every row once, as its newest version has it, and the rollup equal to its facts."""
    for dataset, select in (
        ("orders", "SELECT order_id, total::INTEGER FROM lake.orders"),
        ("customers", "SELECT customer_id, city::INTEGER FROM lake.customers"),
        ("orders", "SELECT order_id, gross_sales::INTEGER FROM lake.teal.order_totals"),
    ):
        rows = connection.execute(select).fetchall()
        assert dict(rows) == plan.newest(dataset), f"{said}: {select}"
        assert len(rows) == len(plan.newest(dataset)), f"{said}: {select}"


def check_ledger(plan: Plan, store: ObjectStore, connection: duckdb.DuckDBPyConnection, said: str) -> None:
    """Every upload once, its rows accounted for; the bytes of a skipped one are in the lake under another name."""
    rows = connection.execute(
        "SELECT object_key, upload_id, status, received, accepted, held, duplicate FROM lake.teal.uploads"
    ).fetchall()
    assert sorted(row[0] for row in rows) == sorted(file.key for file in plan.files), said
    ledger = {row[0]: row[1:] for row in rows}
    for file in plan.files:
        upload_id, status, received, accepted, held, duplicate = ledger[file.key]
        assert received == len(file.rows) + file.bad == accepted + held + duplicate, f"{said}: {file.key}"
        if status == "loaded":
            assert held == file.bad, f"{said}: {file.key}"
            assert not held or store.head(f"{HOME}held/{upload_id}.parquet").size_bytes, f"{said}: {file.key}"
        else:
            twins = [ledger[other.key][1] for other in plan.of(file.dataset) if other.body == file.body]
            assert (status, accepted, held) == ("skipped", 0, 0), f"{said}: {file.key}"
            assert "loaded" in twins, f"{said}: {file.key}"
    for dataset in ("orders", "customers"):
        accepted = sum(ledger[file.key][3] for file in plan.of(dataset))
        assert len(plan.newest(dataset)) <= accepted <= plan.versions(dataset), f"{said}: {dataset}"


def check_files(store: ObjectStore, connection: duckdb.DuckDBPyConnection, said: str) -> None:
    """One catalog; every file that any snapshot needs is there in full; no commit is twice in it. Orphans may be."""
    found = {info.key: info.size_bytes for info in store.list(HOME)}
    beside = [key for key in found if not key.startswith((HOME + "data/", HOME + "held/"))]
    assert beside == [HOME + "catalog.ducklake"], said
    sizes = {key.rsplit("/", 1)[-1]: size for key, size in found.items()}
    for kind in ("data", "delete"):
        needed = connection.execute(
            f"SELECT path, file_size_bytes FROM __ducklake_metadata_lake.ducklake_{kind}_file"
        ).fetchall()
        for path, size in needed:
            assert sizes.get(path.rsplit("/", 1)[-1]) == size, f"{said}: {path}"
    commits = connection.execute(
        "SELECT json_extract_string(commit_extra_info, '$.commit_id') FROM lake.snapshots() "
        "WHERE commit_extra_info IS NOT NULL"
    ).fetchall()
    assert len(commits) == len(set(commits)), said
