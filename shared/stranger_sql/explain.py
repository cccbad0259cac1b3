"""EXPLAIN of a stranger's SQL: the plan as rows, told by a list of what may be told; nothing of it is run.

The rule: a plan is made of what the engine knows, and that is more than who asks may know: files, and rows that are
hidden. So for those who do not see all rows it is the plan of the same tables without any row in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared.cells.lock import lock
from shared.duck import Duck, literal, open_duck, quoted
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.errors import RefusedSqlError
from shared.stranger_sql.locked import SETTINGS, LockedDuck
from shared.stranger_sql.mistakes import OWN_PLACE

_EXPLAIN = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*\*/)*(EXPLAIN)\b\s*(ANALYZE\b|\()?", re.IGNORECASE)

_OPERATOR = re.compile(r"[A-Z][A-Z_]*\Z")
_OUR_SCANS = ("DUCKLAKE_SCAN", "SEQ_SCAN")
_TOLD = (
    "Table", "Function", "Join Type", "Conditions", "Condition", "Filters", "Expression", "Expressions", "Projections",
    "Groups", "Aggregates", "Order By", "Top", "Limit", "CTE Name",
)  # fmt: skip
"""What is told of an operator, in this order; it may also have files, and what the engine comes to have one day."""
MAX_DETAILS = 2_000
"""Characters of one operator."""


class Step(NamedTuple):
    """One operator of a plan; what it takes its rows from follows it, one deeper. ``estimated_rows`` None: not told."""

    step: int
    depth: int
    operator: str
    details: str
    estimated_rows: int | None


def explained(sql: str) -> tuple[str, bool]:
    """The text without its leading EXPLAIN, and whether it had one; every letter stays in its place.

    Raises RefusedSqlError for an EXPLAIN with options, and for one that runs what it explains.
    """
    found = _EXPLAIN.match(sql)
    if not found:
        return sql, False
    if found[2]:
        raise RefusedSqlError("EXPLAIN is read without ANALYZE and without options; the receipt tells what SQL took.")
    start, end = found.span(1)
    return sql[:start] + " " * (end - start) + sql[end:], True


def plan_of(locked: LockedDuck, cursor: Duck, sql: str, values: Mapping[str, Any] | None, limits: SqlLimits) -> str:
    """A SELECT of the steps of the plan of SQL that was checked. Raises what the engine raises."""
    if locked.hides_rows:
        with _emptied(locked, limits) as empty:
            steps = [step._replace(estimated_rows=None) for step in _steps(locked, empty, sql, values)]
    else:
        steps = _steps(locked, cursor, sql, values)
    rows = ", ".join(f"({', '.join(map(literal, step))}::BIGINT)" for step in steps)
    return f"SELECT * FROM (VALUES {rows}) AS plan({', '.join(Step._fields)}) ORDER BY step"


def _steps(locked: LockedDuck, duck: Duck, sql: str, values: Mapping[str, Any] | None) -> list[Step]:
    [(_, plan)] = duck.connection.execute(f"EXPLAIN (FORMAT JSON) {sql}", values).fetchall()
    steps: list[Step] = []
    waiting = [(node, 0) for node in reversed(json.loads(plan))]
    while waiting:
        node, depth = waiting.pop()
        operator = node["name"].strip()
        operator = "TABLE_SCAN" if operator in _OUR_SCANS else operator if _OPERATOR.match(operator) else "OTHER"
        facts = node.get("extra_info", {})
        rows = str(facts.get("Estimated Cardinality", ""))
        steps.append(
            Step(len(steps) + 1, depth, operator, _details(facts, locked), int(rows) if rows.isdigit() else None)
        )
        waiting += [(child, depth + 1) for child in reversed(node.get("children", ()))]
    return steps


def _details(facts: Mapping[str, Any], locked: LockedDuck) -> str:
    told = []
    for name in _TOLD:
        given = facts.get(name) or ""
        text = OWN_PLACE.sub("", ", ".join(map(str, given)) if isinstance(given, list) else str(given))
        if name == "Table":
            text = text.rpartition(".")[2]
            text = text if text in locked.tables else ""
        if text:
            told.append(f"{name}: {text}")
    return "; ".join(told)[:MAX_DETAILS]


@contextmanager
def _emptied(locked: LockedDuck, limits: SqlLimits) -> Iterator[Duck]:
    """Another engine with the same tables, of which it knows nothing but their columns."""
    duck = open_duck(memory_limit_mb=limits.memory_mb, threads=1, temp_directory=locked.spill, extensions=())
    try:
        for name in sorted(locked.tables):
            columns = locked.duck.columns(f"memory.main.{quoted(name)}").items()
            told = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
            duck.execute(f"CREATE TABLE {quoted(name)} ({told})")
        # What the engine concludes from there being no row is not worth knowing.
        duck.execute("SET disabled_optimizers = 'statistics_propagation,compressed_materialization'")
        lock(duck, home=locked.folder, own_folders=[f"{locked.spill}/"], settings=SETTINGS)
        yield duck
    finally:
        duck.close()
