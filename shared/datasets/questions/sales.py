"""Sales: what was sold, given off, sent back, by whom and when; amounts in one currency, never in several at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from shared.datasets.question import Context, Question, Statement
from shared.errors import InvalidParameterError, InvalidTimezoneError, MixedCurrenciesError
from shared.sql.load import statement

Rows = list[tuple[Any, ...]]
STEPS = {
    "hour": "1 hour",
    "day": "1 day",
    "week": "7 days",
    "month": "1 month",
    "quarter": "3 months",
    "year": "1 year",
}
METRICS = (
    "gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales",
    "orders", "customers", "units", "returned_units", "aov",
)  # fmt: skip
FACTS = ("sales/facts_of_orders", "sales/facts_of_lines", "sales/metrics")


class SalesQuestion(Question):
    """The range, the filters and the rules that all sales questions share."""

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
        str | None, Field(pattern="^[A-Za-z]{3}$", description="Only amounts in this currency (ISO 4217).")
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

    def zone(self, context: Context) -> str:
        """The time zone to use. Raises InvalidTimezoneError."""
        name = self.timezone or context.timezone
        if name not in available_timezones():
            raise InvalidTimezoneError(f"timezone: {name[:60]} is not an IANA time zone, such as Europe/London.")
        return name

    def reads_lines(self) -> bool:
        """Whether single lines are needed: the rollup knows orders, not products."""
        return self.needs_lines or self.product is not None or self.category is not None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        if self.reads_lines():
            return ("main.order_items", "main.orders", "main.products", "main.categories")
        return ("teal.order_totals",)

    def facts(self, context: Context, shift: Shift | None = None) -> Statement:
        """The facts inside the range and the filters. Raises InvalidParameterError, InvalidTimezoneError."""
        zone = ZoneInfo(self.zone(context))
        start, end = _instant("from", self.start, zone), _instant("to", self.end, zone)
        if start and end and start >= end:
            raise InvalidParameterError("to: must be after from; the range is half-open")
        if shift is not None:
            start, end = shift(start, zone), shift(end, zone)
        included = {"adjustments": "adjustment", "zero": "zero"}
        values: dict[str, Any] = {
            "line_types": ["sale", "return", "order", *(included[name] for name in self.include or ())],
            "from_at": start,
            "to_at": end,
            "currency": self.currency.upper() if self.currency else None,
            "country": self.country,
            "channel": self.channel,
            "customer": self.customer,
            "customers": self.customers,
            "kind": self.kind,
        }
        if self.reads_lines():
            return Statement(
                statement("sales/facts_of_lines"), {**values, "product": self.product, "category": self.category}
            )
        return Statement(statement("sales/facts_of_orders"), values)

    def measured(self, context: Context, bucket: str, shift: Shift | None = None) -> Statement:
        """CTEs ``facts``, ``buckets`` and ``metrics`` for a grouping; ``bucket`` is SQL over a fact."""
        facts = self.facts(context, shift)
        sql = (
            f"WITH facts AS (\n{facts.sql}\n), buckets AS (SELECT *, {bucket} AS bucket FROM facts), "
            f"metrics AS (\n{statement('sales/metrics')}\n)"
        )
        return Statement(sql, facts.values)

    def guards(self, context: Context) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses a range in several currencies."""
        if self.currency:
            return []
        facts = self.facts(context)
        return [
            (Statement(f"WITH facts AS (\n{facts.sql}\n) {statement('sales/currencies')}", facts.values), _one_currency)
        ]


Shift = Callable[[datetime | None, ZoneInfo], datetime | None]


class SalesSummary(SalesQuestion):
    """What was sold in a range: gross sales, discounts, returns, net sales, orders, customers, units and AOV.

    net_sales = gross_sales − discounts + returns (returns are negative); tax and shipping are never inside it. orders
    counts orders with a sale line; AOV is net sales of those orders per order. `compare` needs `from` and `to`.
    """

    name: ClassVar[str] = "sales/summary"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/summary")
    title: ClassVar[str] = "Sales summary"

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self.measured(context, "0")
        sql = f"{now.sql} {statement('sales/summary')}"
        if self.compare is None:
            return Statement(sql, now.values)
        if self.start is None or self.end is None:
            raise InvalidParameterError("compare: needs from and to, so that the period before is as long")
        before = self.measured(context, "0", _before_range(self, context))
        return _compared(
            Statement(sql, now.values), Statement(f"{before.sql} {statement('sales/summary')}", before.values), ""
        )


class SalesByPeriod(SalesQuestion):
    """Sales per hour, day, ISO week, month, quarter or year, in the asked time zone.

    `fill` gives every period of the range, with zeros where nothing happened. A period that was not over when the
    snapshot was committed is `complete: false`. `compare=previous_period` sets each period beside the one before it,
    `previous_year` beside the same one a year before.
    """

    name: ClassVar[str] = "sales/by-period"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/by_period")
    title: ClassVar[str] = "Sales by period"

    grain: Annotated[
        Literal["hour", "day", "week", "month", "quarter", "year"], Field(description="Length of a period.")
    ] = "day"
    fill: Annotated[bool, Field(description="Periods without orders are there, with zeros.")] = True

    def statement(self, context: Context) -> Statement:
        """See Question."""
        now = self._per_period(context, None)
        if self.compare is None:
            return now
        # Facts of the earlier time, dated forward: every period then meets the one it is compared with.
        step = STEPS[self.grain] if self.compare == "previous_period" else "1 year"
        if self.compare == "previous_year" and self.grain == "week":
            step = "364 days"  # 52 ISO weeks
        before = self._per_period(context, step)
        return _compared(now, before, "period")

    def _per_period(self, context: Context, step: str | None) -> Statement:
        zone = self.zone(context)
        local = f"timezone('{zone}', ordered_at)" + (f" + INTERVAL '{step}'" if step else "")
        # Converting an instant costs more than all sums, and the instants of a quarter of an hour convert alike.
        bucket = f"date_trunc('{self.grain}', {local})"
        shift = _back(step) if step else None
        measured = self.measured(context, bucket, shift)
        tail = statement("sales/by_period")
        values = {
            **measured.values,
            "timezone": zone,
            "grain": self.grain,
            "step": STEPS[self.grain],
            "fill": self.fill and step is None,
            "committed_at": context.committed_at,
        }
        return Statement(f"{measured.sql} FROM (\n{tail}\n)", values)


class SalesBy(SalesQuestion):
    """Sales by country, category, product, channel or customer, largest first, with each one's share of net sales."""

    name: ClassVar[str] = "sales/by"
    sql_names: ClassVar[tuple[str, ...]] = (*FACTS, "sales/by_dimension")
    title: ClassVar[str] = "Sales by dimension"
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
        if self.compare is None:
            return self._grouped(context, None)
        if self.start is None or self.end is None:
            raise InvalidParameterError("compare: needs from and to, so that the period before is as long")
        return _compared(self._grouped(context, None), self._grouped(context, _before_range(self, context)), "value")

    def _grouped(self, context: Context, shift: Shift | None) -> Statement:
        column = {"product": "product_id", "customer": "customer_id"}.get(self.dimension, self.dimension)
        measured = self.measured(context, column, shift)
        values = {
            **measured.values,
            "dimension": self.dimension,
            "sort": self.sort,
            "sees_personal": context.sees_personal,
        }
        return Statement(f"{measured.sql} {statement('sales/by_dimension')}", values)


def _instant(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidParameterError(f"{name}: {text[:40]} is not a day or an instant in ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _one_currency(rows: Rows) -> None:
    if len(rows) > 1:
        found = ", ".join(row[0] or "unspecified" for row in rows)
        raise MixedCurrenciesError(f"The range holds several currencies ({found}); name one with currency=.")


def _before_range(question: SalesQuestion, context: Context) -> Shift:
    zone = ZoneInfo(question.zone(context))
    start, end = _instant("from", question.start, zone), _instant("to", question.end, zone)
    assert start and end  # noqa: S101 - checked by the caller
    if question.compare == "previous_year":
        return _back("1 year")
    # Wall-clock length: a range of whole days stays one of whole days over a change of the clock.
    length = end.replace(tzinfo=None) - start.replace(tzinfo=None)
    return lambda moment, zone: moment and (moment.replace(tzinfo=None) - length).replace(tzinfo=moment.tzinfo)


def _back(step: str) -> Shift:
    def shifted(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
        if moment is None:
            return None
        count, unit = int(step.split(maxsplit=1)[0]), step.split()[1].rstrip("s")
        if unit in ("hour", "day"):
            return moment - timedelta(**{unit + "s": count})
        months = moment.year * 12 + moment.month - 1 - count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        for day in range(moment.day, 27, -1):
            try:
                return moment.replace(year=year, month=month + 1, day=day)
            except ValueError:
                continue
        return moment.replace(year=year, month=month + 1)

    return shifted


def _compared(now: Statement, before: Statement, key: str) -> Statement:
    """Each row of ``now`` beside the row of ``before`` with the same key; "" compares the only rows."""
    renamed = before.sql
    for name in sorted(before.values, key=len, reverse=True):
        renamed = renamed.replace(f"${name}", f"$before_{name}")
    pairs = ", ".join(
        f"before.{m} AS {m}_previous, "
        f"round((now.{m} - before.{m}) / nullif(before.{m}, 0), 6)::DECIMAL(18, 6) AS {m}_change"
        for m in METRICS
    )
    join = f"LEFT JOIN before ON before.{key} IS NOT DISTINCT FROM now.{key}" if key else "CROSS JOIN before"
    values = {**now.values, **{f"before_{name}": value for name, value in before.values.items()}}
    sql = f"WITH now AS MATERIALIZED (\n{now.sql}\n), before AS (\n{renamed}\n) SELECT now.*, {pairs} FROM now {join}"
    return Statement(f"{sql} ORDER BY now.{key}" if key == "period" else sql, values)
