"""Sales: what was sold, given off, sent back, by whom and when; amounts in one currency, never in several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from shared.datasets.question import Context, Question, Rows, Statement
from shared.datasets.questions.comparison import compared, renamed
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.ranges import (
    Shift,
    back,
    instant,
    local_time,
    require_few_periods,
    shifted,
    zone_named,
)
from shared.errors import InvalidParameterError, MissingRateError, MixedCurrenciesError
from shared.sql.load import statement

STEPS = {
    "hour": "1 hour",
    "day": "1 day",
    "week": "7 days",
    "month": "1 month",
    "quarter": "3 months",
    "year": "1 year",
}
NO_CURRENCY = "none"
"""How amounts are asked for that name no currency, while the installation names none either."""
FACTS = (
    "sales/facts_of_orders", "sales/facts_of_lines", "sales/orders_of_lines", "sales/factors", "sales/converted",
    "sales/metrics", "sales/whole", "sales/currencies",
)  # fmt: skip


class SalesQuestion(Question):
    """The range, the filters and the rules that all sales questions share.

    Amounts are exact decimals in one currency: an order that names none is in the installation's (setting `currency`),
    or in `none` where there is no such setting; several are refused (`mixed_currencies`) unless `currency` names one or
    `convert` converts them. `convert` takes the newest rate of the dataset `rates` from the order's day (in the
    installation's time zone) or the 31 days
    before, of the pair itself before its inverse and both before a way through one other currency on the same day,
    to 12 decimals; every amount is converted and rounded to 4 decimals by itself, per order and kind of line, or
    per line where a product or category is asked for. A rate that is not there is an error (`missing_rate`), never
    a guess.

    Orders that were cancelled, voided, failed or are drafts have no sales. An order without lines counts by its
    total.
    """

    start: Annotated[
        str | None,
        Field(alias="from", description="First instant or day (ISO 8601), included; a day begins at local midnight."),
    ] = None
    end: Annotated[
        str | None, Field(alias="to", description="First instant or day after the range: it is excluded.")
    ] = None
    timezone: Annotated[str | None, Field(description="IANA time zone of days and periods; default the tenant's.")] = (
        None
    )
    currency: Annotated[
        str | None,
        Field(
            pattern="^(?:[A-Za-z]{3}|none)$",
            description="Only amounts in this currency (ISO 4217; none: amounts that name none).",
        ),
    ] = None
    convert: Annotated[
        str | None,
        Field(pattern="^[A-Za-z]{3}$", description="All amounts in this currency, by the dataset `rates`."),
    ] = None
    country: Annotated[list[str] | None, Field(description="Only these countries; may be repeated.")] = None
    channel: Annotated[list[str] | None, Field(description="Only these channels; may be repeated.")] = None
    customer: Annotated[list[str] | None, Field(description="Only these customers (ids); may be repeated.")] = None
    product: Annotated[list[str] | None, Field(description="Only these products (ids); may be repeated.")] = None
    category: Annotated[list[str] | None, Field(description="Only these categories; may be repeated.")] = None
    customers: Annotated[
        Literal["all", "known", "guest"], Field(description="All orders, those with a customer, or guest orders.")
    ] = "all"
    kind: Annotated[
        Literal["all", "goods", "fee", "shipping", "gift_card", "service", "adjustment"],
        Field(description="Kind of what the lines charge for; `goods` leaves fees out."),
    ] = "all"
    include: Annotated[
        list[Literal["adjustments", "zero"]] | None,
        Field(description="Lines left out otherwise: adjustments (bad debt), zero (no price or quantity)."),
    ] = None
    compare: Annotated[
        Literal["previous_period", "previous_year"] | None,
        Field(description="Adds each metric of the period before, or of a year before, and the change."),
    ] = None

    needs_lines: ClassVar[bool] = False

    def zone(self, context: Context) -> ZoneInfo:
        """The time zone to use. Raises InvalidTimezoneError."""
        return zone_named(context.timezone if self.timezone is None else self.timezone)

    def reads_lines(self) -> bool:
        """Whether single lines are needed: the rollup knows orders, not products."""
        return self.needs_lines or self.product is not None or self.category is not None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        rates = ("main.rates",) if self.convert else ()
        if self.reads_lines():
            return ("main.order_items", "main.orders", "main.products", "main.categories", *rates)
        return ("teal.order_totals", *rates)

    def asked_range(self, context: Context, shift: Shift | None = None) -> tuple[datetime | None, datetime | None]:
        """First instant, and the first one after. Raises InvalidParameterError, InvalidTimezoneError."""
        zone = self.zone(context)
        start, end = instant("from", self.start, zone), instant("to", self.end, zone)
        if start and end and start >= end:
            raise InvalidParameterError("to: must be after from; the range is half-open")
        return shifted(start, zone, shift, "from"), shifted(end, zone, shift, "to")

    def facts(self, context: Context, shift: Shift | None = None) -> Statement:
        """CTEs up to ``facts``: what is inside the range and the filters. Raises InvalidParameterError."""
        start, end = self.asked_range(context, shift)
        values: dict[str, Any] = {
            "adjustments": "adjustments" in (self.include or ()),
            "zeros": "zero" in (self.include or ()),
            "from_at": start,
            "to_at": end,
            "currency": self.currency and _code(self.currency),
            "default_currency": context.currency.upper() or NO_CURRENCY,
            "country": self.country,
            "channel": self.channel,
            "customer": self.customer,
            "customers": self.customers,
            "kind": self.kind,
        }
        sql = statement("sales/facts_of_orders")
        if self.reads_lines():
            sql = statement("sales/facts_of_lines")
            values |= {"product": self.product, "category": self.category}
        if self.convert is None:
            return Statement(f"facts AS (\n{sql}\n)", values)
        # The tenant's day, not the asker's: what an order comes to does not depend on who asks.
        day = _local("ordered_at", zone_named(context.timezone), context, start, end)
        ctes = (
            f"priced AS (SELECT *, {day}::DATE AS day FROM (\n{sql}\n)), "
            f"factors AS (\n{statement('sales/factors')}\n), facts AS (\n{statement('sales/converted')}\n)"
        )
        return Statement(ctes, {**values, "convert": self.convert.upper()})

    def measured(self, context: Context, bucket: str, shift: Shift | None = None) -> Statement:
        """CTEs up to ``metrics`` for a grouping; ``bucket`` is SQL over a fact."""
        facts = self.facts(context, shift)
        buckets = f"buckets AS (SELECT *, {bucket} AS bucket FROM facts)"
        if self.reads_lines():
            buckets = f"line_{buckets}, buckets AS (\n{statement('sales/orders_of_lines')}\n)"
        sql = f"WITH {facts.sql}, {buckets}, metrics AS MATERIALIZED (\n{statement('sales/metrics')}\n)"
        return Statement(sql, facts.values, has_seen=True)

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses amounts in several currencies, and those that cannot be converted."""
        for missing in seen[2::3]:
            if missing is not None:
                raise MissingRateError(
                    f"There is no rate from {missing}, or of the 31 days before, to {str(self.convert).upper()}: "
                    "add it to the dataset rates, or ask for one currency with currency=."
                )
        if len(_currencies(seen)) < 2:
            return []
        facts = self.facts(context)
        sql, values = f"WITH {facts.sql} {statement('sales/currencies')}", facts.values
        if self.compare is not None:
            before = renamed(self.facts(context, self.shift(context)))
            sql = f"FROM ({sql}) UNION FROM (WITH {before.sql} {statement('sales/currencies')})"
            values = {**values, **before.values}
        return [(Statement(sql, values), _several_currencies)]

    def told(self, seen: Any) -> dict[str, Any]:
        """The currency of the amounts; null when nobody said it."""
        return {"currency": next((name for name in _currencies(seen) if name not in ("", NO_CURRENCY)), None)}

    def shift(self, context: Context) -> Shift:
        """From the asked range to the one it is compared with. Raises InvalidParameterError."""
        if self.start is None or self.end is None:
            raise InvalidParameterError("compare: needs from and to, so that the period before is as long")
        start, end = self.asked_range(context)
        assert start is not None  # noqa: S101 - asked for just above
        assert end is not None  # noqa: S101 - as above
        if self.compare == "previous_year":
            return back("1 year")
        # Wall-clock length: a range of whole days stays one of whole days over a change of the clock.
        length = end.replace(tzinfo=None) - start.replace(tzinfo=None)
        return lambda moment, zone: moment and (moment.replace(tzinfo=None) - length).replace(tzinfo=moment.tzinfo)


class SalesSummary(SalesQuestion):
    """What was sold in a range: gross and net sales, discounts, returns, tax, shipping, orders, customers, units, AOV.

    One row. `compare` needs `from` and `to`, and adds each metric of the range before (as long, by the clock on the
    wall) or of the same range a year before, and the change as a ratio.
    """

    name: ClassVar[str] = "sales/summary"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/summary")
    title: ClassVar[str] = "Sales summary"
    columns: ClassVar[tuple[str, ...]] = METRICS
    example: ClassVar[Mapping[str, str]] = {"from": "2011-11-01", "to": "2011-12-01", "timezone": "Europe/London"}

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self._summed(context, None)
        return now if self.compare is None else compared(now, self._summed(context, self.shift(context)), "")

    def _summed(self, context: Context, shift: Shift | None) -> Statement:
        measured = self.measured(context, "0", shift)
        return replace(measured, sql=f"{measured.sql}, {_whole()} {statement('sales/summary')}")


class SalesByPeriod(SalesQuestion):
    """Sales per hour, day, ISO week, month, quarter or year, in the asked time zone.

    `fill` gives every period of the range, 200,000 at most, with zeros where nothing happened. A period that was not
    over when the snapshot was committed is `complete: false`. `compare=previous_period` sets each period beside the one
    before it, `previous_year` beside the same one a year before; where nothing happened then, its metrics are zero
    (null without `fill`) and the change is null.
    """

    name: ClassVar[str] = "sales/by-period"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/periods", "sales/by_period")
    title: ClassVar[str] = "Sales by period"
    columns: ClassVar[tuple[str, ...]] = ("period", *METRICS, "complete")
    example: ClassVar[Mapping[str, str]] = {
        "grain": "month", "from": "2011-10-01", "to": "2012-01-01", "timezone": "Europe/London",
    }  # fmt: skip

    grain: Annotated[
        Literal["hour", "day", "week", "month", "quarter", "year"], Field(description="Length of a period.")
    ] = "day"
    fill: Annotated[bool, Field(description="Periods without orders are there, with zeros.")] = True

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self._per_period(context, None)
        if self.compare is None:
            return now
        return compared(now, self._per_period(context, self._step()), "period", zeros=self.fill)

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        return back(self._step())

    def _step(self) -> str:
        """How far the period lies back that a period is compared with."""
        if self.compare == "previous_period":
            return STEPS[self.grain]
        return "364 days" if self.grain == "week" else "1 year"  # 52 ISO weeks

    def _per_period(self, context: Context, step: str | None) -> Statement:
        """With a step, facts of the earlier time are dated forward: every period meets the one it is compared with."""
        zone, shift = self.zone(context), back(step) if step else None
        start, end = self.asked_range(context, shift)
        local = _local("ordered_at", zone, context, start, end) + (f" + INTERVAL '{step}'" if step else "")
        measured = self.measured(context, f"date_trunc('{self.grain}', {local})", shift)
        values = {
            **measured.values,
            "grain": self.grain,
            "step": STEPS[self.grain],
            "local_committed_at": _wall_clock(context.committed_at, zone),
        }
        periods = f"WITH {_whole()} SELECT bucket, seen FROM metrics CROSS JOIN whole"
        if self.fill and step is None:
            require_few_periods(self.grain, start, end, context.span)
            periods = statement("sales/periods")
            values |= {"local_from": _wall_clock(start, zone), "local_to": _wall_clock(end, zone)}
        sql = f"{measured.sql}, periods AS (\n{periods}\n) {statement('sales/by_period')}"
        return replace(measured, sql=sql, values=values)


class SalesBy(SalesQuestion):
    """Sales by country, category, product, channel or customer, largest first, with each one's share of net sales.

    A row per value; null is what has none (guest orders by customer). By product and category, single lines are
    added up: what belongs to an order as a whole (its own discount, tax, shipping) has no product and is not among
    them, and an order counts once for each product it holds. The names of customers are shown to keys with the
    scope `admin`.
    """

    name: ClassVar[str] = "sales/by"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/by_dimension")
    title: ClassVar[str] = "Sales by dimension"
    columns: ClassVar[tuple[str, ...]] = ("value", "label", *METRICS, "share")
    example: ClassVar[Mapping[str, str]] = {"dimension": "country", "limit": "3"}
    personal: ClassVar[bool] = True

    dimension: Annotated[
        Literal["country", "category", "product", "channel", "customer"], Field(description="What to group by.")
    ]
    sort: Annotated[
        Literal["net_sales", "gross_sales", "returns", "orders", "units", "customers"],
        Field(description="The metric to order by, largest first."),
    ] = "net_sales"

    def reads_lines(self) -> bool:
        """See SalesQuestion."""
        return self.dimension in ("category", "product") or super().reads_lines()

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self._grouped(context, None)
        if self.compare is None:
            return now
        order = "now.returns" if self.sort == "returns" else f"now.{self.sort} DESC"
        before = self._grouped(context, self.shift(context))
        return compared(now, before, "value", f"{order}, now.value NULLS LAST")

    def _grouped(self, context: Context, shift: Shift | None) -> Statement:
        column = {"product": "product_id", "customer": "customer_id"}.get(self.dimension, self.dimension)
        measured = self.measured(context, column, shift)
        values = {
            **measured.values,
            "dimension": self.dimension,
            "sort": self.sort,
            "sees_personal": context.sees_personal,
        }
        return replace(measured, sql=f"{measured.sql}, {_whole()} {statement('sales/by_dimension')}", values=values)


def _whole() -> str:
    return f"whole AS MATERIALIZED (\n{statement('sales/whole')}\n)"


def _local(column: str, zone: ZoneInfo, context: Context, start: datetime | None, end: datetime | None) -> str:
    """Wall-clock time of the facts' instants, which lie both in the range and in the snapshot's span."""
    first, last = context.span or (None, None)
    first = max(first, start) if first and start else first
    last = min(last, end) if last and end else last
    return local_time(column, zone, first, last)


def _code(currency: str) -> str:
    return currency if currency == NO_CURRENCY else currency.upper()


def _currencies(seen: Any) -> list[str]:
    """The different ones among the lowest and highest seen."""
    return sorted({name for place, name in enumerate(seen) if place % 3 < 2 and name is not None})


def _several_currencies(rows: Rows) -> None:
    found = sorted(row[0] for row in rows)
    raise MixedCurrenciesError(
        f"The range holds several currencies ({', '.join(found)}); name one with currency=, "
        "or convert them with convert=."
    )


def _wall_clock(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment and moment.astimezone(zone).replace(tzinfo=None)
