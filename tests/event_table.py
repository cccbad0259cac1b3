"""Web events in a table of their own, for questions about them without an upload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.datasets.question import Context, Question
from shared.datasets.registry import built_in
from shared.duck import Duck, open_duck

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)

COLUMNS = built_in()["events"].columns


class EventTable:
    """The dataset `events`, filled anew for each case."""

    def __init__(self) -> None:
        self.duck: Duck = open_duck(memory_limit_mb=512, threads=2, extensions=())

    def fill(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Replace all events; `at` is minutes after BEGIN."""
        self.duck.execute(
            f"CREATE OR REPLACE TABLE events ({', '.join(f'{column.name} {column.sql_type}' for column in COLUMNS)})"
        )
        rows = []
        for number, event in enumerate(events):
            row = {"event_id": str(number), **event}
            row["occurred_at"] = BEGIN + timedelta(minutes=row.pop("at"))
            rows.append([row.get(column.name) for column in COLUMNS])
        if rows:
            marks = ", ".join(["(" + ", ".join("?" for _ in COLUMNS) + ")"] * len(rows))
            self.duck.execute(f"INSERT INTO events VALUES {marks}", [value for row in rows for value in row])

    def ask(self, question: Question, committed_at: datetime = BEGIN) -> list[dict[str, Any]]:
        """The rows of an answer."""
        asked = question.statement(Context(committed_at))
        result = self.duck.query(asked.sql, asked.values)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def way(names: str, entity: str = "a", minutes: int = 1) -> list[dict[str, Any]]:
    """Events of one customer, named by single letters, one after the other."""
    return [{"event_name": name, "customer_id": entity, "at": place * minutes} for place, name in enumerate(names)]
