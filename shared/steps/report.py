"""The quality report of one dataset of an upload: completeness, validity, uniqueness, freshness, missing references."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared.duck import Duck, quoted
from shared.sql.load import statement
from shared.steps.judge import Staged
from shared.steps.merge import Plan, lake_table, temp


@dataclass(frozen=True)
class Measured:
    """What the staged rows say about their quality; ``columns`` by name: missing, invalid and the rules broken."""

    columns: dict[str, dict[str, Any]]
    newest_at: Any


def measure(duck: Duck, staged: Staged) -> Measured:
    """Count missing and invalid values per column, once per upload."""
    contract = staged.contract
    counts = ", ".join(f"count({quoted(column.name)})" for column in contract.columns)
    newest = f"max({quoted(contract.time_column)})::TIMESTAMPTZ" if contract.time_column else "NULL"
    row = duck.execute(f"SELECT count(*), {newest}, {counts} FROM {staged.table} WHERE _held IS NULL")[0]
    total, newest_at, present = row[0], row[1], row[2:]
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


def missing_references(duck: Duck, plan: Plan) -> int:
    """Fresh rows that name a row which is in no table yet, over all columns with `references`: only a warning."""
    missing = 0
    for column in plan.staged.contract.columns:
        if column.references and plan.added:
            dataset, target = column.references.split(".")
            known = f"SELECT {quoted(target)} FROM {lake_table(dataset)}"
            sql = (
                f"SELECT count(*) FROM {temp('fresh', plan.staged.contract.name)} AS fresh "
                f"ANTI JOIN ({known}) AS known ON fresh.{quoted(column.name)} = known.{quoted(target)} "
                f"WHERE fresh.{quoted(column.name)} IS NOT NULL"
            )
            missing += int(duck.value(sql))
    return missing


def record_quality(duck: Duck, upload_id: str, plan: Plan, measured: Measured, missing: int) -> None:
    """Write the report, in the change's transaction."""
    staged = plan.staged
    duck.execute(
        statement("ingest/record_quality"),
        {
            "upload_id": upload_id,
            "dataset": staged.contract.name,
            "contract_version": staged.contract.version,
            "received": staged.received,
            "accepted": staged.accepted - plan.unchanged,
            "held": staged.held,
            "duplicate": staged.duplicate + plan.unchanged,
            "missing_references": missing,
            "newest_at": measured.newest_at,
            "measures": json.dumps(measured.columns),
        },
    )
