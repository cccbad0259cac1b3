"""How often customers come back, and who buys most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Kept, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.customers import HISTORY, TOTALS, ComparedCustomers
from shared.sql.load import statement


class CustomerRepeatRate(ComparedCustomers):
    """How many customers order again, and how long they take: all together, and after the first, second … order.

    The first row (`order_number` null) is all together: `repeat_rate` is the share of customers with two orders or more
    in the range, and the days between orders are of all pairs of one customer's consecutive orders. In the row of
    order n, `customers` placed at least n orders, `repeat_customers` at least n + 1, and the days are those from the
    n-th to the next one. So customers with exactly n orders are `customers` − `repeat_customers`. Days are elapsed time
    and may be fractions; who has not come back yet has none, so that the newest customers look less loyal than they may
    become. Only orders from `from` to `to` are looked at and numbered. Amounts play no role: orders in several
    currencies are counted together.

    `compare` needs `from` and `to`, and sets each row beside what this question answers for the range before, as long,
    or the same range a year before; there are also rows of order numbers that were reached only then.
    """

    name: ClassVar[str] = "customers/repeat-rate"
    sql_names: ClassVar[tuple[str, ...]] = (
        *HISTORY, "customers/gaps", "customers/repeat_steps", "customers/repeat_rate",
    )  # fmt: skip
    title: ClassVar[str] = "Repeat rate"
    columns: ClassVar[tuple[str, ...]] = (
        "order_number", "customers", "repeat_customers", "repeat_rate", "mean_days_between", "median_days_between",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"up_to": "3"}
    measures: ClassVar[Measures] = Measures(
        ("customers", "repeat_customers"), ("repeat_rate", "mean_days_between", "median_days_between")
    )

    up_to: Annotated[int, Field(ge=0, le=10_000, description="The largest order number to answer.")] = 10

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("order_number",),
            order="answer.order_number NULLS FIRST", of_both=True,
        )  # fmt: skip

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See Question: the steps of one range."""
        if self.compare is not None:
            return super().keeps(context)
        return (*super().keeps(context), Kept("kept_steps", self._steps(context)))

    def _answer(self, context: Context) -> Statement:
        steps = self._steps(context)
        of_range = "FROM kept_steps" if self.compare is None and self._back is None else steps.sql
        sql = f"WITH steps AS (\n{of_range}\n) {statement('customers/repeat_rate')}"
        return replace(steps, sql=sql, values={**steps.values, "up_to": self.up_to})

    def _steps(self, context: Context) -> Statement:
        history = self.history(context)
        gaps = f"{history.sql}, gaps AS MATERIALIZED (\n{statement('customers/gaps')}\n)"
        sql = f"{gaps} FROM (\n{statement('customers/repeat_steps')}\n)"
        return replace(history, sql=sql, values={**history.values, "range_from": self.range_start(context)})


class CustomerTop(ComparedCustomers):
    """The customers who buy most, each with the share of what all customers bought, and the share of all above.

    `by` says what is compared; equal customers are ranked by customer_id. Ranked is who has an order in the range;
    shares are of the sum over all of them, so guests and customers known by a return alone are not in it. Where
    somebody's net sales are negative, `running_share` passes 1 before it ends there. `first_order` is the first one
    ever, also before `from`. The names of customers are shown to keys with the scope `admin`.

    `compare` needs `from` and `to`, and sets each customer beside what this question answers of them for the range
    before, as long, or the same range a year before: zero where they placed no order then. Who ordered only then is
    not among them; `sales/by` has a row for everybody who bought at either time.
    """

    name: ClassVar[str] = "customers/top"
    sql_names: ClassVar[tuple[str, ...]] = (*TOTALS, "customers/top")
    title: ClassVar[str] = "Top customers"
    columns: ClassVar[tuple[str, ...]] = (
        "rank", "customer_id", "label", "gross_sales", "returns", "net_sales", "orders", "units", "first_order",
        "last_order", "share_of_metric", "running_share",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"timezone": "Europe/London", "limit": "3"}
    measures: ClassVar[Measures] = Measures(("gross_sales", "returns", "net_sales", "orders", "units"))

    by: Annotated[
        Literal["net_sales", "gross_sales", "returns", "orders", "units"],
        Field(description="What to rank by, largest first; returns by what was given back."),
    ] = "net_sales"

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("customer_id",),
            order="answer.rank",
        )  # fmt: skip

    def _answer(self, context: Context) -> Statement:
        totals = self.totals(context)
        days = (f"({self.local(f'{one}_at', context)})::DATE AS {one}_day" for one in ("first", "last"))
        amount = f"{'-' if self.by == 'returns' else ''}{self.by} AS amount"
        bought = f"bought AS (SELECT *, {amount}, {', '.join(days)} FROM totals WHERE orders > 0)"
        values = {
            **totals.values,
            "sees_personal": context.sees_personal,
            "rows_wanted": None if self.compare else context.rows_wanted,
        }
        return replace(totals, sql=f"{totals.sql}, {bought} FROM (\n{statement('customers/top')}\n)", values=values)

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See Question."""
        return (*super().keeps(context), *self.kept_totals(context))

    @property
    def personal(self) -> bool:
        """See Question: names of customers."""
        return True
