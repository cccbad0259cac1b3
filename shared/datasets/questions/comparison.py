"""Two statements side by side: the rows of a range, each beside the row of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from shared.datasets.question import Statement
from shared.datasets.questions.metrics import METRICS

Compare = Annotated[
    Literal["previous_period", "previous_year"] | None,
    Field(description="Adds each metric of the period before, or of a year before, and the change."),
]


@dataclass(frozen=True)
class Measures:
    """What is compared: ``sums`` are zero where nothing happened, ``rates`` are null."""

    sums: tuple[str, ...]
    rates: tuple[str, ...] = ()

    def pairs(self, known: str, has: Sequence[str] = ()) -> str:
        """SQL for each earlier value of ``before`` and the change to that of ``answer``; see ``compared``.

        An earlier value that the answer ``has`` anyway is left out.
        """
        found = []
        for name in self.names:
            earlier = f"before.{name}"
            ratio = f"(answer.{name} - before.{name}) / nullif(before.{name}, 0)"
            if name in self.sums:
                earlier = f"CASE WHEN {known} THEN coalesce(before.{name}, 0) ELSE before.{name} END"
            if f"{name}_previous" not in has:
                found.append(f"{earlier} AS {name}_previous")
            found.append(f"round({ratio}, 6)::DECIMAL(18, 6) AS {name}_change")
        return ", ".join(found)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order of an answer."""
        return (*self.sums, *self.rates)


SALES = Measures(tuple(metric for metric in METRICS if metric != "aov"), ("aov",))


def renamed(before: Statement, prefix: str = "before") -> Statement:
    """The same with other names of its parameters, so that it can stand beside another one."""
    sql = before.sql
    for name in sorted(before.values, key=len, reverse=True):
        sql = sql.replace(f"${name}", f"${prefix}_{name}")
    return replace(before, sql=sql, values={f"{prefix}_{name}": value for name, value in before.values.items()})


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
    sql = (
        f"WITH before AS MATERIALIZED (\n{before.sql} SELECT metrics.*, seen FROM metrics CROSS JOIN whole\n) "
        f"SELECT {asked}, {SALES.pairs(known)}, "
        "list_concat(answer.seen, (SELECT any_value(seen) FROM before)) AS _seen "
        f"FROM (\n{now.sql} FROM answer\n) AS answer "
        "LEFT JOIN before ON before.bucket = answer.bucket AND before.value IS NOT DISTINCT FROM answer.value "
        f"ORDER BY {order}"
    )
    return Statement(sql, {**now.values, **before.values}, has_seen=True)


def beside(
    now: Statement,
    before: Statement,
    columns: Sequence[str],
    measures: Measures,
    *,
    keys: Sequence[str],
    order: str,
    known: str = "true",
    also: str = "false",
) -> Statement:
    """Two whole answers of a question, of its range and of an earlier one, row by row by ``keys``; see ``compared``.

    There are also rows of what was only there ``before``, if ``also`` (SQL); its sums are zero now, its rates null.
    """
    before = renamed(before)
    same = " AND ".join(f"before.{key} IS NOT DISTINCT FROM {{0}}.{key}" for key in keys)
    answer = "FROM now"
    if also != "false":
        nothing = [f"before.{name} - before.{name} AS {name}" for name in measures.sums]
        nothing += [f"CASE WHEN false THEN before.{name} END AS {name}" for name in measures.rates]
        gone = f"FROM before ANTI JOIN now ON {same.format('now')} WHERE {also}"
        answer += f" UNION ALL BY NAME SELECT before.* REPLACE ({', '.join(nothing)}) {gone}"
    seen = ""
    if now.has_seen:
        seen = ", list_concat((SELECT any_value(_seen) FROM now), (SELECT any_value(_seen) FROM before)) AS _seen"
    asked = ", ".join(f"answer.{column}" for column in columns)
    sql = (
        f"WITH now AS MATERIALIZED (\n{now.sql}\n), before AS MATERIALIZED (\n{before.sql}\n), answer AS ({answer}) "
        f"SELECT {asked}, {measures.pairs(known, columns)}{seen} "
        f"FROM answer LEFT JOIN before ON {same.format('answer')} ORDER BY {order}"
    )
    return Statement(sql, {**now.values, **before.values}, has_seen=now.has_seen)
