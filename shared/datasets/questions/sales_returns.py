"""Returns: what came back, of what, when, and how much of what was sold that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.ranges import Shift
from shared.datasets.questions.sales.base import FACTS, WHOLE, Dimension, SalesQuestion, clock_of_facts
from shared.datasets.questions.sales.days import DAYS, Days
from shared.datasets.questions.steps import STEPS
from shared.sql.load import statement


class SalesReturns(SalesQuestion):
    """What came back in a range: units and money, and as a share of what was sold.

    With `dimension`, a row per product, category, country, channel or customer, the most money first and equal ones by
    `value`; with `grain`, per period, oldest first; with both, the values within each period; with neither, one row.
    There are only rows in which something was sold or came back. A return belongs to the time of the order or credit
    note that holds it, so a rate compares what came back in a period with what was sold in it, and can be above 1: it
    does not follow a single sale to its return. Cancellation lines are returns; the contract has no reason of a
    return.

    By product and category, single lines are added up: a refund of an order that names no line (`refunded`) has no
    product and is not among them, nor is an order's own discount.

    `compare` sets each row beside that of the range before, or of the same range a year before; with `grain`, each
    period beside the one before it or the same one a year before, as in `sales/by-period`. There are then also rows in
    which something was sold or came back only in the earlier time.
    """

    name: ClassVar[str] = "sales/returns"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, *DAYS, "sales/groups", "sales/returns")
    of_days: ClassVar[bool] = True
    title: ClassVar[str] = "Returns"
    columns: ClassVar[tuple[str, ...]] = (
        "value", "label", "period", "orders", "units", "returned_units", "return_rate", "gross_sales", "discounts",
        "returns", "returned_share",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"dimension": "product", "limit": "3"}
    measures: ClassVar[Measures] = Measures(
        ("orders", "units", "returned_units", "gross_sales", "discounts", "returns"), ("return_rate", "returned_share")
    )

    dimension: Annotated[Dimension | None, Field(description="A row per value of this.")] = None
    grain: Annotated[
        Literal["day", "week", "month", "quarter", "year"] | None, Field(description="A row per period of this length.")
    ] = None

    def dimension_asked(self) -> Dimension | None:
        """See SalesQuestion."""
        return self.dimension

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        return self.shift_to(context, str(self.compare), self.grain)

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("value", "period"),
            order="answer.period, answer.returns, answer.value NULLS LAST", grain=self.grain, of_both=True,
        )  # fmt: skip

    def _answer(self, context: Context) -> Statement:
        bucket, days, period = "0", Days("0"), "NULL::VARCHAR"
        if self.grain is not None:
            local = clock_of_facts(self.zone(context), context, *self.asked_range(context)).local_time("ordered_at")
            bucket = self.period(self.grain, local)
            days = Days(self.period(self.grain, "day::TIMESTAMP"), self.grain, STEPS[self.grain])
            period = "strftime(bucket, '%Y-%m-%d')"
        measured = self.by_days(context, days) or self.measured(context, bucket)
        groups = self.groups(context, of_both=False)
        sql = (
            f"{measured.sql}, {WHOLE}, {groups.sql}, dated AS (SELECT *, {period} AS period FROM metrics) "
            f"{statement('sales/returns')}"
        )
        return Statement(sql, {**measured.values, **groups.values}, has_seen=True)
