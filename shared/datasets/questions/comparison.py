"""Two statements side by side: the rows of a range, each beside the row of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.datasets.question import Statement
from shared.datasets.questions.metrics import METRICS


def renamed(before: Statement) -> Statement:
    """The same with other names of its parameters, so that it can stand beside another one."""
    sql = before.sql
    for name in sorted(before.values, key=len, reverse=True):
        sql = sql.replace(f"${name}", f"$before_{name}")
    return replace(before, sql=sql, values={f"before_{name}": value for name, value in before.values.items()})


def compared(now: Statement, before: Statement | None, columns: Sequence[str], order: str, known: str) -> Statement:
    """The rows of ``now``, and with ``before`` each metric beside the earlier one of the same bucket and value.

    ``now`` is CTEs up to ``answer``, ``before`` is CTEs with ``metrics`` and ``whole``; the former may read ``before``.
    Where there is no row before, its metrics are null; or what they are when nothing happens, if ``known`` (SQL).
    """
    asked = ", ".join(f"answer.{column}" for column in columns)
    if before is None:
        return Statement(
            f"{now.sql} SELECT {asked}, seen AS _seen FROM answer ORDER BY {order}", now.values, has_seen=True
        )
    before = renamed(before)
    pairs = ", ".join(
        f"{f'CASE WHEN {known} THEN coalesce(before.{m}, 0) ELSE before.{m} END' if m != 'aov' else f'before.{m}'} "
        f"AS {m}_previous, round((answer.{m} - before.{m}) / nullif(before.{m}, 0), 6)::DECIMAL(18, 6) AS {m}_change"
        for m in METRICS
    )
    sql = (
        f"WITH before AS MATERIALIZED (\n{before.sql} SELECT metrics.*, seen FROM metrics CROSS JOIN whole\n) "
        f"SELECT {asked}, {pairs}, list_concat(answer.seen, (SELECT any_value(seen) FROM before)) AS _seen "
        f"FROM (\n{now.sql} FROM answer\n) AS answer "
        "LEFT JOIN before ON before.bucket = answer.bucket AND before.value IS NOT DISTINCT FROM answer.value "
        f"ORDER BY {order}"
    )
    return Statement(sql, {**now.values, **before.values}, has_seen=True)
