"""New and returning customers: who bought for the first time, who came back, and what guests bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.clocks import clock
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.customers import HISTORY, ComparedCustomers
from shared.datasets.questions.ranges import Shift, require_few_periods
from shared.datasets.questions.steps import STEPS
from shared.sql.load import statement


class NewVsReturning(ComparedCustomers):
    """Per period, the new and the returning customers, their orders and net sales, and those of guests apart.

    With `rule=customer`, a customer is new in the period of the first order ever, with all orders of that period, and
    returning in every later one. With `rule=order`, the first order alone is new (and one of the same instant), and
    whoever orders again in the same period is among both. Returns count with the customer: what comes back in the
    period of the first order (or with `rule=order` at its instant) is of new customers, all else of returning ones,
    also of customers known by returns alone, whose orders are older than the data. In the first periods of the data
    nearly everybody is new, since nothing before is known.

    Here guests are not left out: new, returning and guest net sales add up to the net sales of the period. `fill` gives
    every period of the range, 200,000 at most, with zeros where nothing happened.

    `compare` sets each period beside the one before it, or the same one a year before, as `sales/by-period` does;
    who was new then is judged by what was known then: by all orders before the end of the earlier range.
    """

    name: ClassVar[str] = "sales/new-vs-returning"
    sql_names: ClassVar[tuple[str, ...]] = (
        *HISTORY, "customers/first_orders", "customers/new_and_returning", "sales/periods", "sales/whole",
        "customers/new_vs_returning",
    )  # fmt: skip
    title: ClassVar[str] = "New and returning customers"
    columns: ClassVar[tuple[str, ...]] = (
        "period", "new_customers", "returning_customers", "returning_rate", "new_orders", "returning_orders",
        "guest_orders", "new_net_sales", "returning_net_sales", "guest_net_sales", "complete",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {
        "grain": "month", "from": "2011-09-01", "to": "2012-01-01", "timezone": "Europe/London",
    }  # fmt: skip

    measures: ClassVar[Measures] = Measures(
        (
            "new_customers", "returning_customers", "new_orders", "returning_orders", "guest_orders", "new_net_sales",
            "returning_net_sales", "guest_net_sales",
        ),
        ("returning_rate",),
    )  # fmt: skip

    customers: ClassVar[str] = "all"  # type: ignore[misc] # as in CustomerQuestion

    grain: Annotated[Literal["day", "week", "month", "quarter", "year"], Field(description="Length of a period.")] = (
        "month"
    )
    rule: Annotated[
        Literal["customer", "order"], Field(description="Whether all orders of a new customer's period are new.")
    ] = "customer"
    fill: Annotated[bool, Field(description="Periods without orders are there, with zeros.")] = True

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        return self.shift_to(context, str(self.compare), self.grain)

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("period",),
            order="answer.period", grain=self.grain,
        )  # fmt: skip

    def _answer(self, context: Context) -> Statement:
        history = self.history(context)
        start, end = self.asked_range(context)
        values: dict[str, Any] = {
            **history.values,
            "range_from": start,
            "rule": self.rule,
            "step": STEPS[self.grain],
            "local_committed_at": self._wall_clock(context.committed_at, context),
        }
        periods = f"WITH whole AS (\n{statement('sales/whole')}\n) SELECT bucket, seen FROM metrics CROSS JOIN whole"
        if self.fill:
            require_few_periods(self.grain, start, end, context.span)
            periods = statement("sales/periods")
            values |= {
                "grain": self.grain,
                "local_from": start and self._wall_clock(start, context),
                "local_to": end and self._wall_clock(end, context),
            }
            if left_out := self._days_left_out(start, end, context):
                periods = f"SELECT * FROM (\n{periods}\n) WHERE NOT list_contains($left_out::TIMESTAMP[], bucket)"
                values["left_out"] = left_out
        bucket = self.period(self.grain, self.local("ordered_at", context))
        sql = (
            f"{history.sql}, dated AS (SELECT *, {bucket} AS bucket FROM facts), "
            f"first_orders AS (\n{statement('customers/first_orders')}\n), "
            f"metrics AS MATERIALIZED (\n{statement('customers/new_and_returning')}\n), "
            f"periods AS (\n{periods}\n) {statement('customers/new_vs_returning')}"
        )
        return replace(history, sql=sql, values=values)

    def _days_left_out(self, start: datetime | None, end: datetime | None, context: Context) -> list[datetime]:
        """Days of the range that never were."""
        first, last = context.span or (None, None)
        shown = clock(self.zone(context), start or first, end or last)
        return shown.days_left_out() if self.grain == "day" else []

    def _wall_clock(self, moment: datetime, context: Context) -> datetime:
        return moment.astimezone(self.zone(context)).replace(tzinfo=None)
