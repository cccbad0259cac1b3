"""Two statements side by side: the rows of a range, each beside the row of an earlier one."""

from __future__ import annotations

from dataclasses import replace

from shared.datasets.question import Statement
from shared.datasets.questions.metrics import METRICS


def renamed(before: Statement) -> Statement:
    """The same with other names of its parameters, so that it can stand beside another one."""
    sql = before.sql
    for name in sorted(before.values, key=len, reverse=True):
        sql = sql.replace(f"${name}", f"$before_{name}")
    return replace(before, sql=sql, values={f"before_{name}": value for name, value in before.values.items()})


def compared(now: Statement, before: Statement, key: str, order: str = "", *, zeros: bool = False) -> Statement:
    """Each row of ``now`` beside the row of ``before`` with the same key; "" compares the only rows.

    Where there is no row before, its metrics are null, or with ``zeros`` what they are when nothing happens.
    """
    before = renamed(before)
    pairs = ", ".join(
        f"{f'coalesce(before.{m}, 0)' if zeros and m != 'aov' else f'before.{m}'} AS {m}_previous, "
        f"round((now.{m} - before.{m}) / nullif(before.{m}, 0), 6)::DECIMAL(18, 6) AS {m}_change"
        for m in METRICS
    )
    join = f"LEFT JOIN before ON before.{key} IS NOT DISTINCT FROM now.{key}" if key else "CROSS JOIN before"
    sql = (
        f"WITH now AS MATERIALIZED (\n{now.sql}\n), before AS MATERIALIZED (\n{before.sql}\n) "
        f"SELECT now.* EXCLUDE (_seen), {pairs}, "
        f"list_concat(now._seen, (SELECT any_value(_seen) FROM before)) AS _seen FROM now {join}"
    )
    ordered = f"{sql} ORDER BY {order or f'now.{key}'}" if key else sql
    return Statement(ordered, {**now.values, **before.values}, has_seen=True)
