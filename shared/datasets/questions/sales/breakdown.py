"""Sales by two dimensions at once: a table of rows and columns, the smaller ones folded into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.comparison import renamed
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.ranged import wall_clock
from shared.datasets.questions.ranges import MAX_PERIODS, Shift
from shared.datasets.questions.sales.base import (
    ANSWER,
    COLUMN_OF,
    FACTS,
    NAMED,
    WHOLE,
    Dimension,
    SalesQuestion,
    Seen,
    clock_of_facts,
)
from shared.datasets.questions.steps import STEPS, Grain, known_day
from shared.errors import InvalidParameterError
from shared.sql.load import statement

Period = Literal["day", "week", "month", "quarter", "year"]
Time = Literal[Period, "weekday", "hour"]
Axis = Literal[Dimension, "customer_type", Time]

VALUES = {str(dimension): column for dimension, column in COLUMN_OF.items()} | {
    "customer_type": "CASE WHEN customer_id IS NULL THEN 'guest' WHEN ordered_at = first_at THEN 'new' "
    "ELSE 'returning' END"
}
"""SQL over a fact for a dimension that has another name there, or none."""


class SalesBreakdown(SalesQuestion):
    """Sales by two dimensions at once: countries by month, categories by channel, products by weekday, and so on.

    A row of the answer is a cell: what was sold of one value of `rows` and one of `columns` together. There are only
    cells in which something happened. The largest row comes first, and in each row the largest column, by `sort` over
    the whole row or column and by value where equal; periods, weekdays and hours stand in their order. A null value is
    what has none (guest orders by customer).

    `top` keeps the largest values of each dimension, and adds up all others as one (`row_is_other`, `column_is_other`,
    value null); periods, weekdays and hours are all kept. Everything is added up from the orders, also the others:
    their orders and customers are counted once, however many values they are folded from. More than 200,000 cells are
    refused.

    Gross sales, discounts, returns, adjustments, net sales, tax, shipping, total sales and units of all cells add up to
    those of `sales/summary` with the same filters (of product and category: of order lines, which have no discount of
    the order, tax and shipping), with `top` or without; with `convert` up to the last decimal, since each cell is
    rounded by itself. Orders and customers are counted once in each cell, and do not add up where one of them is in
    several: an order with products of two categories counts in both, a customer of two months in both. AOV is that of
    the cell's orders.

    A period, weekday or hour is that of the clock of `timezone`; an hour is one of the day, `00` to `23`, and a weekday
    `1` (Monday) to `7`. `complete` says whether the cell's period was over; without a period it is null. Of
    `customer_type`, an order is `new` when it is the customer's first one ever inside the filters (products and
    categories aside), `returning` after that, and `guest` without a customer; returns are `new` only at that instant.

    `compare` sets each cell beside the same cell of the range before, or of the same range a year before; with a period
    beside that of the period before, or of the same one a year before, as `sales/by-period` does. There are then also
    cells of what was sold only in the earlier time; `top` goes by the asked range.
    """

    name: ClassVar[str] = "sales/breakdown"
    sql_names: ClassVar[tuple[str, ...]] = (
        *FACTS, *ANSWER, "customers/first_orders", "sales/ranked", "sales/place_names", "sales/placed", "sales/cells",
        "sales/shares",
    )  # fmt: skip
    title: ClassVar[str] = "Sales by two dimensions"
    columns: ClassVar[tuple[str, ...]] = (
        "row_value", "row_label", "row_is_other", "column_value", "column_label", "column_is_other", *METRICS, "share",
        "row_share", "column_share", "complete",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {
        "rows": "country", "columns": "quarter", "top": "2", "timezone": "Europe/London", "limit": "4",
    }  # fmt: skip

    rows: Annotated[Axis, Field(description="What there is a row of the table for each of.")]
    across: Annotated[Axis, Field(alias="columns", description="What there is a column of the table for each of.")]
    top: Annotated[
        int | None, Field(ge=1, le=400, description="So many largest rows and columns; all others are one.")
    ] = None
    sort: Annotated[
        Literal["net_sales", "gross_sales", "returns", "orders", "units", "customers"],
        Field(description="The metric by which rows and columns are largest; returns by what was given back."),
    ] = "net_sales"

    @property
    def personal(self) -> bool:
        """See Question: the names of customers."""
        return "customer" in (self.rows, self.across)

    def reads_lines(self) -> bool:
        """See SalesQuestion."""
        return super().reads_lines() or any(axis in ("category", "product") for axis in (self.rows, self.across))

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        return self.shift_to(context, str(self.compare), self._grain())

    def answer_sql(self) -> str:
        """See SalesQuestion."""
        return f"WITH answer AS (\n{super().answer_sql()}\n) {statement('sales/shares')}"

    def statement(self, context: Context) -> Statement:
        """See Question."""
        grain, before, known = self._grain(), None, "true"
        earlier = None if self.compare is None else self.earlier(context, self.compare, grain)
        cells = "SELECT bucket, value FROM metrics"
        if earlier is not None:
            before, known = earlier._cells(context), "true" if earlier.could_happen(context) else "false"
            cells += " UNION SELECT bucket, value FROM before"
            if (grain, self.compare) == ("day", "previous_year"):
                known += f" AND {known_day('row_value' if self.rows == 'day' else 'column_value')}"
        now = self._cells(context)
        ctes = f"{now.sql}, {WHOLE}, cells AS ({cells}), places AS (\n{statement('sales/cells')}\n)"
        asked = Statement(ctes, {**now.values, "max_cells": MAX_PERIODS})
        answer = self.answer(asked, before, "answer.bucket, answer.value", known)
        axes = [self._axis(context, "row", self.rows, earlier), self._axis(context, "column", self.across, earlier)]
        values = {name: value for axis in axes for name, value in axis.values.items()}
        sql = f"WITH {', '.join(axis.sql for axis in axes)} FROM (\n{answer.sql}\n)"
        return replace(answer, sql=sql, values={**answer.values, **values})

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """See SalesQuestion."""
        if len(seen) % len(Seen._fields) == 1:
            raise InvalidParameterError(
                f"top: there are {int(seen[0]):,} cells, more than {MAX_PERIODS:,}; "
                "ask for the largest rows and columns, a longer period, a shorter range or fewer values"
            )
        return super().doubts(context, seen)

    def _grain(self) -> Grain | None:
        """The period among rows and columns. Raises InvalidParameterError."""
        if self.rows == self.across:
            raise InvalidParameterError("columns: must be another dimension than rows")
        grains: list[Grain] = [axis for axis in (self.rows, self.across) if axis in get_args(Period)]  # type: ignore[misc]
        if len(grains) > 1:
            raise InvalidParameterError(
                "columns: rows are periods too, and each lies in one of the others; sales/by-period has them one by one"
            )
        return grains[0] if grains else None

    def _axis(self, context: Context, name: str, axis: Axis, earlier: SalesBreakdown | None) -> Statement:
        """The CTEs ``<name>_places``, of each value, and ``<name>_names``, of each place."""
        totals = self._totals(context, axis)
        sql, values = f"WITH now AS MATERIALIZED ({totals.sql}) FROM now", totals.values
        if earlier is not None:
            before = renamed(earlier._totals(context, axis))
            sql += f" UNION ALL SELECT value, NULL FROM ({before.sql})"
            if axis in get_args(Period) and self.asked_range(context)[1] is None:
                # What is moved forward from the end of the data lies after it.
                sql += " WHERE value <= (SELECT max(value) FROM now)"
            values = {**values, **before.values}
        top = None if axis in get_args(Time) else self.top
        ranked = renamed(Statement(statement("sales/ranked"), {"top": top}), name)
        groups = Statement("SELECT value, NULL::VARCHAR AS label FROM known")
        if axis in NAMED:
            shown = {"dimension": axis, "sees_personal": context.sees_personal}
            groups = renamed(Statement(statement("sales/groups"), shown), name)
        text, complete = "value", "NULL::BOOLEAN"
        if axis in get_args(Period):
            values = {**values, "local_committed_at": wall_clock(context.committed_at, self.zone(context))}
            text = "strftime(value, '%Y-%m-%d')"
            complete = f"value + INTERVAL '{STEPS[cast(Grain, axis)]}' <= $local_committed_at::TIMESTAMP"
        elif axis in get_args(Time):
            text = f"lpad(value::VARCHAR, {1 if axis == 'weekday' else 2}, '0')"
        sql = (
            f"{name}_places AS MATERIALIZED (WITH totals AS ({sql}) {ranked.sql}), "
            f"{name}_names AS MATERIALIZED (WITH places_of_values AS (FROM {name}_places), "
            "known AS (SELECT DISTINCT value FROM places_of_values WHERE NOT is_other), "
            f"groups AS (\n{groups.sql}\n) "
            f"SELECT * REPLACE ({text} AS value), {complete} AS complete FROM (\n{statement('sales/place_names')}\n))"
        )
        return Statement(sql, {**values, **ranked.values, **groups.values})

    def _totals(self, context: Context, axis: Axis) -> Statement:
        """The values of one dimension and what they are ordered by, the largest first; of times, nothing."""
        facts, value = self._facts(context), self._value(context, axis)
        if axis in get_args(Time):
            return replace(facts, sql=f"WITH {facts.sql} SELECT DISTINCT {value} AS value, 0 AS total FROM facts")
        summed = self.added_up(facts, f"SELECT *, {value} AS value, 0 AS bucket FROM facts")
        # Returns are negative: the largest is the lowest.
        total = "-returns" if self.sort == "returns" else self.sort
        return replace(summed, sql=f"{summed.sql} SELECT value, {total} AS total FROM metrics")

    def _cells(self, context: Context) -> Statement:
        """CTEs up to ``metrics``, per place of a row and of a column."""
        facts = self._facts(context)
        row, column = (self._value(context, axis) for axis in (self.rows, self.across))
        valued = f"valued AS (SELECT *, {row} AS row_value, {column} AS column_value FROM facts)"
        return self.added_up(replace(facts, sql=f"{facts.sql}, {valued}"), statement("sales/placed"))

    def _facts(self, context: Context) -> Statement:
        """CTEs up to ``facts``; each with its customer's first order, where that is asked about."""
        facts = self.facts(context)
        if "customer_type" not in (self.rows, self.across):
            return facts
        everything = {"start": None, "product": None, "category": None, "convert": None, "rows": "country"}
        history = renamed(self.model_copy(update={**everything, "across": "channel"}).facts(context), "history")
        first_orders = (
            f"WITH {history.sql}, dated AS (SELECT *, 0 AS bucket FROM facts) {statement('customers/first_orders')}"
        )
        sql = f"facts AS (WITH {facts.sql} FROM facts LEFT JOIN (\n{first_orders}\n) USING (customer_id))"
        return Statement(sql, {**facts.values, **history.values})

    def _value(self, context: Context, axis: Axis) -> str:
        """SQL over a fact; of an earlier question, a period is the one that it is beside."""
        if axis not in get_args(Time):
            return VALUES.get(axis, axis)
        local = clock_of_facts(self.zone(context), context, *self.asked_range(context)).local_time("ordered_at")
        if axis in ("weekday", "hour"):
            return f"isodow({local})" if axis == "weekday" else f"hour({local})"
        return self.period(cast(Grain, axis), local)
