"""The quality report of one dataset of an upload: completeness, validity, uniqueness, freshness, missing references.

An upload that is held as a whole has one too, of rows that are not in the lake: it never is the dataset's own report.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared.duck import Duck, quoted
from shared.sql.load import statement
from shared.steps.judge import Staged
from shared.steps.merge import Plan, lake_table, tables_with_rows, temp
from shared.values import RowCounts


@dataclass(frozen=True)
class Measured:
    """What the staged rows say about their quality; ``columns`` by name: missing, invalid and the rules broken."""

    columns: dict[str, dict[str, Any]]
    newest_at: Any


def measure(duck: Duck, staged: Staged) -> Measured:
    """Count missing and invalid values per column, once per upload."""
    contract = staged.contract
    if staged.statistics:
        return _as_written(duck, staged)
    counts = ", ".join(f"count({quoted(column.name)})" for column in contract.columns)
    newest = f"max({quoted(contract.time_column)})::TIMESTAMPTZ" if contract.time_column else "NULL"
    row = duck.execute(f"SELECT count(*), {newest}, {counts} FROM {staged.table} WHERE _held IS NULL")[0]
    total, newest_at, *present = row
    broken = duck.execute(
        f"SELECT _held.column, _held.rule, count(*) FROM {staged.table} WHERE _held IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    )
    columns: dict[str, dict[str, Any]] = {
        column.name: {"missing": total - count, "invalid": 0, "rules": {}}
        for column, count in zip(contract.columns, present, strict=True)
    }
    for name, rule, count in broken:
        of_column = columns.setdefault(name or "(row)", {"missing": 0, "invalid": 0, "rules": {}})
        of_column["invalid"] += count
        of_column["rules"][rule] = count
    return Measured(columns, newest_at)


def _as_written(duck: Duck, staged: Staged) -> Measured:
    """What the writer of a clean file counted: no row is looked at again."""
    columns: dict[str, dict[str, Any]] = {
        name: {"missing": int(found["null_count"]), "invalid": 0, "rules": {}}
        for name, found in staged.statistics.items()
    }
    newest = staged.statistics.get(staged.contract.time_column or "", {}).get("max")
    return Measured(columns, duck.value("SELECT $newest::TIMESTAMPTZ", {"newest": newest}))


def missing_references(duck: Duck, plan: Plan, added: frozenset[str]) -> int:
    """Fresh rows that name a row which is in no table yet, over all columns with `references`: only a warning.

    ``added`` are the datasets that this commit has added rows to.
    """
    missing, filled = 0, tables_with_rows(duck)
    for column in plan.staged.contract.columns:
        if column.references and plan.added:
            dataset, target = column.references.split(".")
            there = f"main.{dataset}" in filled or dataset in added
            known = f"SELECT {quoted(target)} FROM {lake_table(dataset)}" + ("" if there else " LIMIT 0")
            sql = (
                f"SELECT count(*) FROM {temp('fresh', plan.staged.contract.name)} AS fresh "
                f"ANTI JOIN ({known}) AS known ON fresh.{quoted(column.name)} = known.{quoted(target)} "
                f"WHERE fresh.{quoted(column.name)} IS NOT NULL"
            )
            missing += int(duck.value(sql))
    return missing


def record_quality(duck: Duck, upload_id: str, plan: Plan, measured: Measured, missing: int) -> None:
    """Write the report of rows that go into the lake, in the change's transaction."""
    staged = plan.staged
    counts = RowCounts(
        received=staged.received,
        accepted=staged.accepted - plan.unchanged,
        held=staged.held,
        duplicate=staged.duplicate + plan.unchanged,
    )
    _record(duck, upload_id, staged, counts, measured, missing=missing)


def record_held(duck: Duck, upload_id: str, staged: Staged, measured: Measured) -> None:
    """Write the report of rows that are all held, also those that break no rule, in the change's transaction."""
    counts = RowCounts(received=staged.received, accepted=0, held=staged.received, duplicate=0)
    _record(duck, upload_id, staged, counts, measured, missing=None)


def _record(
    duck: Duck, upload_id: str, staged: Staged, counts: RowCounts, measured: Measured, *, missing: int | None
) -> None:
    duck.execute(
        statement("ingest/record_quality"),
        {
            "upload_id": upload_id,
            "dataset": staged.contract.name,
            "contract_version": staged.contract.version,
            "received": counts.received,
            "accepted": counts.accepted,
            "held": counts.held,
            "duplicate": counts.duplicate,
            "missing_references": missing,
            "newest_at": measured.newest_at,
            "measures": json.dumps(measured.columns),
        },
    )
