"""What all questions about customers share: whose orders count, up to when, and in which currency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, ClassVar

from shared.datasets.question import Context, Kept, Rows, Statement
from shared.datasets.questions.ranges import local_time
from shared.datasets.questions.sales import SalesQuestion
from shared.sql.load import statement

HISTORY = ("sales/facts_of_orders", "sales/factors", "sales/converted", "sales/currencies")
"""The SQL by which every customer's orders are read."""
TOTALS = (
    *HISTORY, "customers/totals", "customers/totals_of_rollup", "customers/totals_of_currency", "customers/whole",
)  # fmt: skip

MAX_KEPT = 256 * 2**20
"""Bytes of the rollup of customers, as it is stored, up to which a connection keeps totals; kept they take three times
that, which the engine spills when it has to."""


class ComparedCustomers(SalesQuestion):
    """What all questions about customers share, those that compare two ranges too.

    A customer is a `customer_id`; guest orders are nobody's and left out. An order is one with a sale line; returns
    lower net sales, but are no orders. `to` is the moment that is asked about: what comes after it is not looked at.
    Its default is the end of the data, the local midnight after the last order of the snapshot, so that a snapshot
    always gives the same answer; JSON says it as `until`. Who is new and which order was a customer's first is
    judged by all orders before `to`, also by those before `from`. What country, channel, kind or currency filter
    out is not there at all: a first order is then the first of that country.
    """

    customers: ClassVar[str] = "known"  # type: ignore[misc] # a parameter of sales, but not of customers
    product: ClassVar[None] = None  # type: ignore[misc] # as above
    category: ClassVar[None] = None  # type: ignore[misc] # as above

    def everybody(self) -> ComparedCustomers:
        """The question whose facts are added up: this one, unless it shows some customers among all."""
        return self

    def until(self, context: Context) -> datetime:
        """The first instant that is not looked at. Raises InvalidParameterError."""
        end = self.asked_range(context)[1]
        if end is not None or context.span is None:
            return end or context.committed_at
        zone, last = self.zone(context), context.span[1]
        try:
            return datetime.combine(last.astimezone(zone).date() + timedelta(days=1), time(), zone)
        except OverflowError:
            return last

    def range_start(self, context: Context) -> datetime | None:
        """The first instant of the range; history before it is known. Raises InvalidParameterError."""
        return self.asked_range(context)[0]

    def local_until(self, context: Context) -> datetime:
        """The same by the clock on the wall."""
        return self.until(context).astimezone(self.zone(context)).replace(tzinfo=None)

    def local(self, column: str, context: Context) -> str:
        """SQL for the wall-clock time of an instant of the facts."""
        first, last = context.span or (None, None)
        return local_time(column, self.zone(context), first, last)

    def history(self, context: Context) -> Statement:
        """CTEs up to ``facts``: all orders before ``to``, with those before ``from``. Raises InvalidParameterError."""
        self.asked_range(context)
        facts = self.model_copy(update={"start": None}).facts(context)
        until = self.until(context).astimezone(self.zone(context))
        return Statement(f"WITH {facts.sql}", {**facts.values, "until": until.isoformat()}, has_seen=True)

    def totals(self, context: Context) -> Statement:
        """CTEs up to ``totals``, one row per customer, and ``whole``."""
        if self.keeps_totals(context):
            history = self.history(context)
            sql = f"{history.sql}, totals AS (FROM kept_totals), whole AS (FROM kept_whole)"
            return replace(history, sql=sql, values={**history.values, "range_from": self.range_start(context)})
        totals, whole = self.totals_and_whole(context)
        sql = f"{totals.sql}, whole AS MATERIALIZED (\n{whole.sql}\n)"
        return replace(totals, sql=sql, values={**totals.values, **whole.values})

    def totals_and_whole(self, context: Context) -> tuple[Statement, Statement]:
        """CTEs up to ``totals``, and what all of them together have to be looked at for."""
        history = self.history(context)
        name, whole = "customers/totals", Statement(statement("customers/whole"), {"until": history.values["until"]})
        if self.of_all_time(context):
            name = "customers/totals_of_rollup"
            if self.currency is not None and self.is_named(context):
                name = "customers/totals_of_currency"
                whole = replace(whole, sql="SELECT [$currency, $currency, NULL, $until] AS seen")
        totals = f"{history.sql}, totals AS MATERIALIZED (\n{statement(name)}\n)"
        return replace(history, sql=totals, values={**history.values, "range_from": self.range_start(context)}), whole

    def keeps_totals(self, context: Context) -> bool:
        """Not where only some customers are asked about, or two ranges, or the customers are too many."""
        alone = self.compare is None and self._back is None and self.customer is None
        return alone and context.customer_bytes <= MAX_KEPT

    def kept_totals(self, context: Context) -> tuple[Kept, ...]:
        """The totals as a connection keeps them, so that all questions about the same customers share them."""
        if not self.keeps_totals(context):
            return ()
        totals, whole = self.totals_and_whole(context)
        values = {**totals.values, **whole.values}
        kept = Kept("kept_totals", replace(totals, sql=f"{totals.sql} FROM totals"))
        looked = Statement(f"WITH totals AS (FROM kept_totals) {whole.sql}", values)
        return kept, Kept("kept_whole", looked, after=(kept,))

    def of_all_time(self, context: Context) -> bool:
        """Whether the rollup of customers tells their totals: nothing is left out but currencies and customers."""
        filters = (self.range_start(context), self.end, self.country, self.channel, self.convert)
        everything = type(self).customers == "known" and self.kind == "all" and not self.reads_lines()
        now = self._back is None
        return bool(context.rollup_zone) and now and everything and all(one is None for one in filters)

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """See SalesQuestion."""
        return SalesQuestion.doubts(self.everybody(), context, self._amounts(seen))

    def told(self, seen: Any) -> dict[str, Any]:
        """See SalesQuestion; and up to when was looked."""
        return {**super().told(self._amounts(seen)), "until": seen[3]}

    def _amounts(self, seen: Any) -> list[Any]:
        """What is seen of amounts, of the earlier range too."""
        return [*seen[:3], *(seen[4:7] if self.compare else ())]


class CustomerQuestion(ComparedCustomers):
    """What questions about customers share that compare nothing: what they tell of is not of one range."""

    compare: ClassVar[None] = None  # type: ignore[misc] # a parameter of sales, but not of these
