"""Returns: what came back, of what, when, and how much of what was sold that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.sales.base import FACTS, WHOLE, Dimension, SalesQuestion, clock_of_facts
from shared.datasets.questions.sales.by_period import STEPS
from shared.datasets.questions.sales.days import DAYS, KEPT, Days
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
    """

    name: ClassVar[str] = "sales/returns"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, *DAYS, "sales/groups", "sales/returns")
    kept: ClassVar[tuple[str, ...]] = KEPT
    title: ClassVar[str] = "Returns"
    columns: ClassVar[tuple[str, ...]] = (
        "value", "label", "period", "orders", "units", "returned_units", "return_rate", "gross_sales", "discounts",
        "returns", "returned_share",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"dimension": "product", "limit": "3"}

    dimension: Annotated[Dimension | None, Field(description="A row per value of this.")] = None
    grain: Annotated[
        Literal["day", "week", "month", "quarter", "year"] | None, Field(description="A row per period of this length.")
    ] = None
    compare: ClassVar[None] = None  # type: ignore[misc] # a parameter of sales, but not of returns

    def dimension_asked(self) -> Dimension | None:
        """See SalesQuestion."""
        return self.dimension

    def statement(self, context: Context) -> Statement:
        """See Question."""
        bucket, days, period = "0", Days("0"), "NULL::VARCHAR"
        if self.grain is not None:
            local = clock_of_facts(self.zone(context), context, *self.asked_range(context)).local_time("ordered_at")
            bucket = f"date_trunc('{self.grain}', {local})"
            days = Days(f"date_trunc('{self.grain}', day::TIMESTAMP)", self.grain, STEPS[self.grain])
            period = "strftime(bucket, '%Y-%m-%d')"
        measured = self.by_days(context, days) or self.measured(context, bucket)
        groups = self.groups(context, of_both=False)
        sql = (
            f"{measured.sql}, {WHOLE}, {groups.sql}, dated AS (SELECT *, {period} AS period FROM metrics) "
            f"{statement('sales/returns')}"
        )
        return Statement(sql, {**measured.values, **groups.values}, has_seen=True)
