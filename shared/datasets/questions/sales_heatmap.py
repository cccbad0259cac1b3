"""Sales by weekday and hour: when customers buy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from shared.datasets.question import Context, Statement
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.sales.base import ANSWER, FACTS, WHOLE, SalesQuestion, clock_of_facts
from shared.sql.load import statement


class SalesHeatmap(SalesQuestion):
    """Sales by weekday and hour of the day, in the asked time zone: the week as a map of 168 cells.

    Always 168 rows, Monday 0:00 first, with zeros where nothing happened. A cell adds up all its hours in the range by
    the clock on the wall: an hour that the clock shows twice is two hours of the same cell, one that it leaves out is
    none. Ranges of whole weeks have each weekday as often as the others; where they do not, cells of weekdays that
    come once more are not comparable with those that do not. `compare` as in `sales/summary`, cell by cell.
    """

    name: ClassVar[str] = "sales/heatmap"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, *ANSWER, "sales/heatmap")
    title: ClassVar[str] = "Sales by weekday and hour"
    columns: ClassVar[tuple[str, ...]] = ("weekday", "hour", *METRICS)
    example: ClassVar[Mapping[str, str]] = {
        "from": "2011-11-07", "to": "2011-12-05", "timezone": "Europe/London", "limit": "12",
    }  # fmt: skip

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self.measured(context, self._cell(context, *self.asked_range(context)))
        before, known = None, "true"
        if self.compare is not None:
            shift = self.shift(context)
            before = self.measured(context, self._cell(context, *self.asked_range(context, shift)), shift)
            known = self.known_before(context, shift)
        places = f"places AS (\n{statement('sales/heatmap')}\n)"
        return self.answer(
            Statement(f"{now.sql}, {WHOLE}, {places}", now.values, has_seen=True), before, "answer.bucket", known
        )

    def _cell(self, context: Context, start: datetime | None, end: datetime | None) -> str:
        """SQL for the hour of the week of a fact, 0 to 167."""
        local = clock_of_facts(self.zone(context), context, start, end).local_time("ordered_at")
        return f"(isodow({local}) - 1) * 24 + hour({local})"
