"""Cohorts: customers by the period of their first order, and what they did in the periods after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Kept, Statement
from shared.datasets.questions.customers import HISTORY, CustomerQuestion
from shared.datasets.questions.ranges import MAX_PERIODS
from shared.datasets.questions.sales import STEPS
from shared.errors import InvalidParameterError
from shared.sql.load import statement

_SHORTEST_DAYS = {"week": 7, "month": 28, "quarter": 90}


class CustomerCohorts(CustomerQuestion):
    """Customers by the week, month or quarter of their first order, and what became of them in each period after it.

    A row per cohort and offset; offset 0 is the period of the first order. `cell` is what `metric` asks for: with
    `retention`, the share of the cohort that ordered in that period (`type=classic`), or in that period or any later
    one (`type=unbounded`; such a cell may still grow when somebody comes back); with `orders` and `net_sales`, what the
    cohort ordered in that period; with `ltv`, its net sales from the first order to the end of that period, per
    customer of the cohort. A period that is not over at `to` has the cell null, never zero; what happened in it so far
    is in `customers` and `orders`. `customers` are those who ordered in the period, or with `type=unbounded` in it or
    later.

    `from` leaves out cohorts before the period that it lies in. Returns belong to the period of the credit note; those
    before a customer's first order (their sale is older than the data) belong to no cell. Without amounts
    (`retention`, `orders`) orders in several currencies are counted together. Cohorts times periods may be 200,000.
    There is no `compare`: cohorts of other times are rows of the same answer.
    """

    name: ClassVar[str] = "customers/cohorts"
    sql_names: ClassVar[tuple[str, ...]] = (*HISTORY, "customers/cohort_cells", "customers/cohorts")
    title: ClassVar[str] = "Customer cohorts"
    columns: ClassVar[tuple[str, ...]] = ("cohort", "offset", "size", "customers", "orders", "cell")
    example: ClassVar[Mapping[str, str]] = {"from": "2011-09-01", "timezone": "Europe/London"}

    grain: Annotated[Literal["week", "month", "quarter"], Field(description="Length of a period.")] = "month"
    metric: Annotated[Literal["retention", "orders", "net_sales", "ltv"], Field(description="What a cell holds.")] = (
        "retention"
    )
    type: Annotated[
        Literal["classic", "unbounded"],
        Field(description="Retention in exactly that period, or in that period or any later one."),
    ] = "classic"
    periods: Annotated[
        int | None, Field(ge=0, le=1_000, description="Largest offset to answer; default as far as the data goes.")
    ] = None

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.type == "unbounded" and self.metric != "retention":
            raise InvalidParameterError("type: unbounded is a kind of metric=retention")
        self._require_few_cells(context)
        cells = self._cells(context)
        values = {
            **cells.values,
            "local_until": self.local_until(context),
            "step": STEPS[self.grain],
            "metric": self.metric,
            "unbounded": self.type == "unbounded",
            "periods": MAX_PERIODS if self.periods is None else self.periods,
            "local_last": self.local_until(context) - timedelta(microseconds=1),
        }
        sql = f"WITH cells AS (FROM kept_cells) FROM (\n{statement('customers/cohorts')}\n)"
        return replace(cells, sql=sql, values=values)

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See Question: the cells, which all metrics of the same cohorts share."""
        return (*super().keeps(context), Kept("kept_cells", self._cells(context)))

    def _cells(self, context: Context) -> Statement:
        """What the customers of each cohort did in each period."""
        history, start = self.history(context), self.range_start(context)
        bucket = f"date_trunc('{self.grain}', {self.local('ordered_at', context)})"
        dated = f"{history.sql}, dated AS (SELECT *, {bucket} AS bucket FROM facts)"
        values = {
            **history.values,
            "local_from": start and start.astimezone(self.zone(context)).replace(tzinfo=None),
            "grain": self.grain,
        }
        return replace(history, sql=f"{dated} FROM (\n{statement('customers/cohort_cells')}\n)", values=values)

    def _require_few_cells(self, context: Context) -> None:
        """Raises InvalidParameterError above MAX_PERIODS cells."""
        if context.span is None:
            return
        start = self.asked_range(context)[0]
        first = max(start, context.span[0]) if start else context.span[0]
        cohorts = (min(context.span[1], self.until(context)) - first) // timedelta(days=_SHORTEST_DAYS[self.grain]) + 1
        longest = (self.until(context) - first) // timedelta(days=_SHORTEST_DAYS[self.grain]) + 1
        offsets = longest if self.periods is None else min(longest, self.periods + 1)
        if cohorts * offsets > 2 * MAX_PERIODS:
            raise InvalidParameterError(
                f"grain: there would be about {cohorts:,} cohorts of {offsets:,} periods; "
                "ask for a longer grain, a later from or fewer periods"
            )
