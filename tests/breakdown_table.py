"""Breakdowns of sales in plain Python: what the API should answer of the lines of a shop, and a check that it does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.lines_shop import (
    AMOUNTS,
    DIMENSIONS,
    END,
    RANGE,
    START,
    Line,
    Shop,
    got,
    is_seen,
    label_of,
    of_lines,
    sees,
)
from tests.web import Web

PERIODS: dict[str, Callable[[datetime], str]] = {
    "day": lambda at: f"{at:%Y-%m-%d}",
    "week": lambda at: f"{at - timedelta(days=at.weekday()):%Y-%m-%d}",
    "month": lambda at: f"{at:%Y-%m-01}",
    "quarter": lambda at: f"{at.year}-{(at.month - 1) // 3 * 3 + 1:02}-01",
    "year": lambda at: f"{at:%Y-01-01}",
}
TIMES = {**PERIODS, "weekday": lambda at: str(at.isoweekday()), "hour": lambda at: f"{at:%H}"}
AXES = (*DIMENSIONS, "customer_type", *TIMES)
OTHER = ("other", None)
"""The place of all values that are not among the largest; any other place is (`value`, the value)."""


def later(step: str) -> Callable[[datetime], datetime | None]:
    """A local time so much later, in the period that it is set beside; None: the later month lacks it."""
    days = {"day": 1, "week": 7, "year of weeks": 364}
    if step in days:
        return lambda at: at + timedelta(days=days[step])
    months = {"month": 1, "quarter": 3, "year": 12}[step]

    def moved(at: datetime) -> datetime:
        year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
        day = at.day
        while True:
            try:
                return at.replace(year=year, month=month + 1, day=day)
            except ValueError:
                day -= 1

    return moved


class Table:
    """A breakdown in plain Python: of all lines of a shop, what the API should answer."""

    def __init__(self, shop: Shop, asked: dict[str, Any], keep: Callable[[Line], bool]) -> None:
        self.shop, self.asked = shop, asked
        self.axes = (asked["rows"], asked["columns"])
        self.of_lines = any(of_lines(axis) for axis in self.axes) or "product" in asked
        seen = is_seen if self.of_lines else sees("country")
        every = shop.facts(lambda line: keep(line) and seen(line))
        bought: dict[str | None, datetime] = {}
        for line in shop.facts(lambda line: keep(line) and line["line_type"] == "sale"):
            bought[line["customer"]] = min(line["at"], bought.get(line["customer"], line["at"]))
        every = [{**line, "customer_type": type_of(line, bought)} for line in every]
        if "product" in asked:
            every = [line for line in every if line["product"] in asked["product"]]
        self.now = [line for line in every if START <= line["at"] < END]
        self.before = list(self._before(every)) if "compare" in asked else []
        self.tops = [self._top(axis) for axis in self.axes]

    def _before(self, every: list[Line]) -> list[Line]:
        """The lines of the earlier time; `at` is where they are set beside, `was` what the clock showed."""
        grain = next((axis for axis in self.axes if axis in PERIODS), None)
        if grain is None:
            first, last = START - timedelta(days=50), START
            if self.asked["compare"] == "previous_year":
                first, last = (moment.replace(year=2023) for moment in (START, END))
            return [line for line in every if first <= line["at"] < last]
        step = "year" if self.asked["compare"] == "previous_year" else grain
        step = "year of weeks" if (step, grain) == ("year", "week") else step
        moved = [{**line, "at": later(step)(line["at"]), "was": line["at"]} for line in every]
        return [line for line in moved if START <= line["at"] < END]

    def _value(self, line: Line, axis: str) -> str | None:
        if axis in PERIODS:
            return PERIODS[axis](line["at"])
        return TIMES[axis](line.get("was", line["at"])) if axis in TIMES else line[axis]

    def _top(self, axis: str) -> list[str | None]:
        """The values that have a place of their own, the first one first."""
        values = {self._value(line, axis) for line in [*self.now, *self.before]}
        if axis in TIMES:
            return sorted(values)

        def size(value: str | None) -> Decimal:
            mine = [line for line in self.now if self._value(line, axis) == value]
            sort = self.asked.get("sort", "net_sales")
            return self.metrics(mine)[sort] * (-1 if sort == "returns" else 1)

        return sorted(values, key=lambda value: (-size(value), value is None, value))[: self.asked.get("top")]

    def metrics(self, lines: list[Line]) -> Line:
        return self.shop.expected(lines, of_lines=self.of_lines)

    def cells(self, lines: list[Line]) -> dict[tuple[Any, Any], list[Line]]:
        """The lines by the places of row and column."""
        found: dict[tuple[Any, Any], list[Line]] = {}
        for line in lines:
            values = [self._value(line, axis) for axis in self.axes]
            row, column = (
                ("value", value) if value in top else OTHER for value, top in zip(values, self.tops, strict=True)
            )
            found.setdefault((row, column), []).append(line)
        return found

    def places(self) -> list[tuple[Any, Any]]:
        """All cells in the order of an answer."""
        orders = [
            {place: rank for rank, place in enumerate([*(("value", v) for v in top), OTHER])} for top in self.tops
        ]
        return sorted(
            {*self.cells(self.now), *self.cells(self.before)}, key=lambda cell: (orders[0][cell[0]], orders[1][cell[1]])
        )


def type_of(line: Line, bought: dict[str | None, datetime]) -> str:
    if line["customer"] is None:
        return "guest"
    return "new" if line["at"] == bought.get(line["customer"]) else "returning"


def place(row: Line, axis: str) -> tuple[str, str | None]:
    return OTHER if row[f"{axis}_is_other"] else ("value", row[f"{axis}_value"])


def check(web: Web, shop: Shop, keep: Callable[[Line], bool] = lambda line: True, **asked: Any) -> list[Line]:
    table = Table(shop, asked, keep)
    rows = web.rows("sales/breakdown", **RANGE, **asked, convert="EUR")
    assert [(place(row, "row"), place(row, "column")) for row in rows] == table.places(), asked
    now, before = table.cells(table.now), table.cells(table.before)
    for row in rows:
        cell = (place(row, "row"), place(row, "column"))
        assert got(row) == table.metrics(now.get(cell, [])), (asked, cell)
        for axis, name in zip(("row", "column"), table.axes, strict=True):
            assert row[f"{axis}_label"] == label_of(name, row[f"{axis}_value"])
        if "compare" in asked:
            day = next((row[f"{axis}_value"] for axis, name in zip(("row", "column"), table.axes, strict=True)
                        if name == "day"), "")  # fmt: skip
            if asked["compare"] == "previous_year" and day.endswith("02-29"):
                assert row["orders_previous"] is None
                continue
            assert got(row, "_previous") == table.metrics(before.get(cell, [])), (asked, cell)
    whole = table.metrics(table.now)
    for name in (*AMOUNTS, "units", "returned_units"):
        assert sum(Decimal(row[name]) for row in rows) == whole[name], (asked, name)
    _check_shares(rows)
    return rows


def _check_shares(rows: list[Line]) -> None:
    for share, same in (("share", ()), ("row_share", ("row",)), ("column_share", ("column",))):
        for row in rows:
            where = [place(row, axis) for axis in same]
            whole = sum(Decimal(one["net_sales"]) for one in rows if [place(one, axis) for axis in same] == where)
            if whole == 0:
                assert row[share] is None
            else:
                assert abs(Decimal(row["net_sales"]) / whole - Decimal(row[share])) <= Decimal("0.0000006")
