"""What all sales questions share: range, filters, groups, currencies; amounts in one currency, never in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from shared.datasets.question import Context, Kept, Rows, Statement
from shared.datasets.questions.clocks import Clock, clock
from shared.datasets.questions.comparison import SALES, Compare, Measures, compared, renamed
from shared.datasets.questions.currency import Currency, code_of, default_of, shown
from shared.datasets.questions.ranged import RangeQuestion
from shared.datasets.questions.ranges import MAX_PERIODS, Shift, zone_named
from shared.datasets.questions.sales.days import Days, Factors, Places, factors_into, facts_of, local_midnight
from shared.errors import InvalidParameterError, MissingRateError, MixedCurrenciesError
from shared.sql.load import statement

Dimension = Literal["country", "category", "product", "channel", "customer"]
COLUMN_OF: dict[Dimension, str] = {"product": "product_id", "customer": "customer_id"}
"""Where the facts name a dimension otherwise."""
NAMED = ("product", "customer")
"""Dimensions whose values are ids."""

FACTS = (
    "sales/facts_of_orders", "sales/facts_of_lines", "sales/sums_of_lines", "sales/factors", "sales/kept_factors",
    "sales/converted", "sales/sums", "sales/metrics", "sales/whole", "sales/currencies",
)  # fmt: skip
NO_VALUE = "NULL::BOOLEAN"
"""The value of the one group there is where nothing is grouped; a text would be hashed and compressed for each fact."""
ANSWER = ("sales/groups", "sales/answer")
WHOLE = f"whole AS MATERIALIZED (\n{statement('sales/whole')}\n)"


class Seen(NamedTuple):
    """What an answer has to be looked at for before it may be given; an answer with `compare` has two of them."""

    lowest_currency: str | None
    highest_currency: str | None
    missing_rate: str | None


class SalesQuestion(RangeQuestion):
    """The range, the filters and the rules that all sales questions share.

    Amounts are exact decimals in one currency: an order that names none is in the installation's (setting `currency`),
    or in `none` where there is no such setting; several are refused (`mixed_currencies`) unless `currency` names one or
    `convert` converts them. `convert` takes the newest rate of the dataset `rates` from the order's day (in the
    installation's time zone) or the 31 days
    before, of the pair itself before its inverse and both before a way through one other currency on the same day,
    to 12 decimals; amounts are converted exactly, and what they add up to is rounded once, to 4 decimals. A rate that
    is not there is an error (`missing_rate`), never a guess.

    Orders that were cancelled, voided, failed or are drafts have no sales. An order without lines counts by its
    total.
    """

    currency: Currency = None
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
    compare: Compare = None

    needs_lines: ClassVar[bool] = False
    of_days: ClassVar[bool] = False
    """Whether the rollup of days may answer it."""
    measures: ClassVar[Measures] = SALES

    def dimension_asked(self) -> Dimension | None:
        """What there is a row of answer for each of."""
        return None

    @property
    def personal(self) -> bool:
        """See Question: the names of customers."""
        return self.dimension_asked() == "customer"

    def reads_lines(self) -> bool:
        """Whether single lines are needed: the rollup knows orders, not products."""
        filtered = self.product is not None or self.category is not None
        return self.needs_lines or filtered or self.dimension_asked() in ("category", "product")

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        more = (*(("main.rates",) if self.convert else ()), *(("main.customers",) if self.personal else ()))
        if self.reads_lines():
            return ("main.order_items", "main.orders", "main.products", "main.categories", *more)
        return ("teal.order_totals", *more)

    def facts(self, context: Context, shift: Shift | None = None) -> Statement:
        """CTEs up to ``facts``: what is inside the range and the filters. Raises InvalidParameterError."""
        start, end = self.asked_range(context, shift)
        values: dict[str, Any] = {
            "adjustments": "adjustments" in (self.include or ()),
            "zeros": "zero" in (self.include or ()),
            "from_at": start,
            "to_at": end,
            "currency": code_of(self.currency),
            "default_currency": default_of(context.currency),
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
        day = clock_of_facts(zone_named(context.timezone), context, start, end).local_time("ordered_at")
        priced = f"SELECT *, {day}::DATE AS day FROM (\n{sql}\n)"
        ctes = facts_of(priced, "sales/converted", self.factors(context).sql)
        return Statement(", ".join(ctes), {**values, "convert": self.convert.upper()})

    def by_days(self, context: Context, days: Days, shift: Shift | None = None) -> Statement | None:
        """CTEs up to ``metrics`` from the rollup of days, or None where it cannot tell them.

        It knows the whole days of one time zone by country, channel or currency, and no single orders.
        """
        zone, places = self.zone(context), self.places(context)
        plain = self.customers == "all" and self.kind == "all" and self.customer is None and not self.reads_lines()
        if not self.of_days or context.rollup_zone != zone.key or not plain or not places.are_known:
            return None
        if self.convert is not None and zone_named(context.timezone).key != zone.key:
            return None
        if "currency" in places.only and not self.is_named(context):
            # Two values of the rollup, whose customers are not those of both together.
            return None
        try:
            first, last = (local_midnight(moment, zone) for moment in self.asked_range(context, shift))
        except ValueError:
            return None
        values = {
            "zone": zone.key,
            "adjustments": "adjustments" in (self.include or ()),
            "zeros": "zero" in (self.include or ()),
            "default_currency": default_of(context.currency),
            "country": places.only.get("country"),
            "channel": places.only.get("channel"),
            "currency": next(iter(places.only.get("currency", ())), None),
        }
        if self.convert is not None:
            values["convert"] = self.convert.upper()
        sums = places.sums(days, first, last, values, self.factors(context).sql if self.convert else "")
        metrics = f"metrics AS MATERIALIZED (\n{statement('sales/metrics')}\n)"
        return Statement(f"WITH {sums.sql}, {metrics}", sums.values, has_seen=True)

    def places(self, context: Context) -> Places:
        """The part of the days that is asked for, where only country, channel and currency say it."""
        only = {
            "country": self.country,
            "channel": self.channel,
            "currency": self.currency and [str(code_of(self.currency))],
        }
        asked = Places({name: values for name, values in only.items() if values is not None}, self.dimension_asked())
        return asked.reduced(context.places, default_of(context.currency))

    def is_named(self, context: Context) -> bool:
        """Whether all amounts in the asked currency name it, so that it is one value of the rollups."""
        unnamed = not context.places or any(currency is None for *_, currency in context.places)
        return not unnamed or str(self.currency).upper() != context.currency.upper()

    def factors(self, context: Context) -> Factors:
        """What converts into the asked currency."""
        return factors_into(str(self.convert).upper(), context.rate_currencies)

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See Question."""
        factors = self.factors(context).kept if self.convert else ()
        if not self.of_days or not context.rollup_zone or not self.places(context).are_known:
            return factors
        return (*factors, *self.places(context).kept())

    def measured(
        self, context: Context, bucket: str, shift: Shift | None = None, then: tuple[str, ...] = ()
    ) -> Statement:
        """CTEs up to ``metrics``, per bucket and value of the asked dimension.

        ``bucket`` is SQL over a fact; each step of ``then`` makes another ``bucket`` of the one before it.
        """
        facts = self.facts(context, shift)
        dimension = self.dimension_asked()
        value = COLUMN_OF.get(dimension, dimension) if dimension else NO_VALUE
        buckets = f"SELECT *, {value} AS value, {bucket} AS bucket FROM facts"
        for step in then:
            buckets = f"SELECT * REPLACE ({step} AS bucket) FROM ({buckets})"
        return self.added_up(facts, buckets)

    def added_up(self, facts: Statement, buckets: str) -> Statement:
        """CTEs up to ``metrics``, per bucket and value of ``buckets``, which is SQL over ``facts``."""
        of_lines = self.reads_lines()
        # The lines are looked at twice, and would be read twice.
        ctes = f"buckets AS {'MATERIALIZED ' if of_lines else ''}({buckets})"
        ctes = f"{ctes}, sums AS (\n{statement('sales/sums_of_lines' if of_lines else 'sales/sums')}\n)"
        sql = f"WITH {facts.sql}, {ctes}, metrics AS MATERIALIZED (\n{statement('sales/metrics')}\n)"
        return Statement(sql, facts.values, has_seen=True)

    def groups(self, context: Context, *, of_both: bool) -> Statement:
        """The CTE ``groups``: the values that have facts now, or also those ``of_both`` times, with their names."""
        known = "SELECT DISTINCT value FROM metrics" + (" UNION SELECT value FROM before" if of_both else "")
        if self.dimension_asked() not in NAMED:
            return Statement(f"known AS ({known}), groups AS (SELECT value, NULL::VARCHAR AS label FROM known)")
        values = {"dimension": self.dimension_asked(), "sees_personal": context.sees_personal}
        return Statement(f"known AS ({known}), groups AS (\n{statement('sales/groups')}\n)", values)

    def of_range(self, context: Context, order: str) -> Statement:
        """One row for the whole range, or one for each group, beside those of the earlier range if asked for."""
        now, before, known = self.by_days(context, Days("0")) or self.measured(context, "0"), None, "true"
        if self.compare is not None:
            shift = self.shift(context)
            before = self.by_days(context, Days("0"), shift) or self.measured(context, "0", shift)
            known = self.known_before(context, shift)
        ctes, values = f"{now.sql}, {WHOLE}", now.values
        places = f"SELECT 0 AS bucket, {NO_VALUE} AS value, seen FROM whole"
        if self.dimension_asked():
            groups = self.groups(context, of_both=before is not None)
            ctes, values = f"{ctes}, {groups.sql}", {**values, **groups.values}
            places = "SELECT 0 AS bucket, value, label, seen FROM groups CROSS JOIN whole"
        return self.answer(Statement(f"{ctes}, places AS ({places})", values), before, order, known)

    def answer(self, now: Statement, before: Statement | None, order: str, known: str = "true") -> Statement:
        """The columns of the answer for each of ``places``, the last CTE of ``now``; see ``compared`` for the rest."""
        answer = replace(now, sql=f"{now.sql}, answer AS (\n{self.answer_sql()}\n)")
        return compared(answer, before and replace(before, sql=f"{before.sql}, {WHOLE}"), self.answered(), order, known)

    def answer_sql(self) -> str:
        """The metrics of each of ``places``."""
        return statement("sales/answer")

    def answered(self) -> tuple[str, ...]:
        """The columns of this answer, without those of `compare`."""
        return self.columns

    def known_before(self, context: Context, shift: Shift) -> str:
        """SQL: whether something could have happened in the earlier time; there may be no such time."""
        return "true" if self.could_happen(context, shift) else "false"

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses amounts in several currencies, those that cannot be converted, and more rows than are served."""
        if len(seen) % len(Seen._fields) == 1:
            raise InvalidParameterError(
                f"group_by: the periods of all groups are {int(seen[0]):,} rows, more than {MAX_PERIODS:,}; "
                "ask for a longer grain, a shorter range, fewer groups or fill=false"
            )
        for one in _all_seen(seen):
            if one.missing_rate is not None:
                raise MissingRateError(
                    f"There is no rate from {one.missing_rate}, or of the 31 days before, to "
                    f"{str(self.convert).upper()}: add it to the dataset rates, or ask for one currency with currency=."
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
        return {"currency": next(filter(None, map(shown, _currencies(seen))), None)}

    def shift(self, context: Context) -> Shift:
        """From the asked range to the one it is compared with. Raises InvalidParameterError."""
        return self.shift_of_range(context, str(self.compare))


class GroupedQuestion(SalesQuestion):
    """A sales question that may be asked per group."""

    group_by: Annotated[
        Dimension | None, Field(description="A row for each value of this, with the columns `value` and `label`.")
    ] = None

    def dimension_asked(self) -> Dimension | None:
        """See SalesQuestion."""
        return self.group_by


def clock_of_facts(zone: ZoneInfo, context: Context, start: datetime | None, end: datetime | None) -> Clock:
    """The zone's clock where facts lie: both in the range and in the snapshot's span."""
    first, last = context.span or (None, None)
    first = max(first, start) if first and start else first
    last = min(last, end) if last and end else last
    return clock(zone, first, last)


def _all_seen(seen: Any) -> Iterator[Seen]:
    size = len(Seen._fields)
    return (Seen(*seen[place : place + size]) for place in range(0, len(seen), size))


def _currencies(seen: Any) -> list[str]:
    """The different ones among the lowest and highest seen."""
    found = {name for one in _all_seen(seen) for name in (one.lowest_currency, one.highest_currency)}
    return sorted(name for name in found if name is not None)


def _several_currencies(rows: Rows) -> None:
    found = sorted(row[0] for row in rows)
    raise MixedCurrenciesError(
        f"The range holds several currencies ({', '.join(found)}); name one with currency=, "
        "or convert them with convert=."
    )
