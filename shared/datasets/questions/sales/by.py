"""Sales by one dimension, with shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.sales.base import ANSWER, FACTS, Dimension, SalesQuestion
from shared.datasets.questions.sales.days import DAYS
from shared.sql.load import statement


class SalesBy(SalesQuestion):
    """Sales by country, category, product, channel or customer, largest first, with each one's share of net sales.

    A row per value; null is what has none (guest orders by customer). Equal ones are ordered by `value`. With `compare`
    there is also a row for what was sold only in the earlier range.
    """

    name: ClassVar[str] = "sales/by"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, *DAYS, *ANSWER, "sales/share")
    of_days: ClassVar[bool] = True
    title: ClassVar[str] = "Sales by dimension"
    columns: ClassVar[tuple[str, ...]] = ("value", "label", *METRICS, "share")
    example: ClassVar[Mapping[str, str]] = {"dimension": "country", "limit": "3"}

    dimension: Annotated[Dimension, Field(description="What to group by.")]
    sort: Annotated[
        Literal["net_sales", "gross_sales", "returns", "orders", "units", "customers"],
        Field(description="The metric to order by, largest first."),
    ] = "net_sales"

    def dimension_asked(self) -> Dimension:
        """See SalesQuestion."""
        return self.dimension

    def answer_sql(self) -> str:
        """See SalesQuestion."""
        return f"WITH answer AS (\n{super().answer_sql()}\n) {statement('sales/share')}"

    def statement(self, context: Context) -> Statement:
        """See Question."""
        # Returns are negative: the largest is the lowest.
        direction = "ASC" if self.sort == "returns" else "DESC"
        return self.of_range(context, f"answer.{self.sort} {direction}, answer.value NULLS LAST")
