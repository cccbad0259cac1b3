"""Sales of a whole range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from shared.datasets.question import Context, Statement
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.sales.base import ANSWER, FACTS, GroupedQuestion
from shared.datasets.questions.sales.days import DAYS


class SalesSummary(GroupedQuestion):
    """What was sold in a range: gross and net sales, discounts, returns, tax, shipping, orders, customers, units, AOV.

    One row; with `group_by` one for each country, category, product, channel or customer, largest net sales first and
    equal ones by `value`, as `sales/by` has them. `compare` needs `from` and `to`, and adds each metric of the range
    before (as many days if the range is of whole days, else as much time) or of the same range a year before, and the
    change as a ratio.
    """

    name: ClassVar[str] = "sales/summary"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, *DAYS, *ANSWER)
    of_days: ClassVar[bool] = True
    title: ClassVar[str] = "Sales summary"
    columns: ClassVar[tuple[str, ...]] = METRICS
    group_columns: ClassVar[tuple[str, ...]] = ("value", "label")
    example: ClassVar[Mapping[str, str]] = {"from": "2011-11-01", "to": "2011-12-01", "timezone": "Europe/London"}

    def statement(self, context: Context) -> Statement:
        """See Question."""
        return self.of_range(context, "answer.net_sales DESC, answer.value NULLS LAST")

    def answered(self) -> tuple[str, ...]:
        """See SalesQuestion."""
        return (*self.group_columns, *self.columns) if self.group_by else self.columns
