"""Sales of whole days from the rollup of days, which costs what the days do, not what their orders do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.datasets.question import Kept, Place, Statement
from shared.sql.load import statement

DAYS = (
    "sales/kept_days", "sales/kept_day_places", "sales/kept_customer_days", "sales/kept_customers_of", "sales/days",
    "sales/facts_of_days", "sales/converted_days", "sales/cut_days", "sales/customers_of_range",
    "sales/customers_of_periods", "sales/days_of_values", "sales/customers_of_values", "sales/sums_of_days",
)  # fmt: skip
"""The SQL by which days are added up."""


@dataclass(frozen=True)
class Days:
    """How days are put together: ``bucket`` is SQL over ``day``; ``grain`` and ``step`` are of the periods, if any."""

    bucket: str
    grain: str = ""
    step: str = ""


@dataclass(frozen=True)
class Places:
    """Which part of the days is asked for, and by what it is grouped: country, channel or currency.

    ``only`` holds the values of each dimension that is filtered by.
    """

    only: Mapping[str, Sequence[str]]
    grouped_by: str | None = None

    @property
    def dimensions(self) -> set[str]:
        """The dimensions that are asked for in any way."""
        return {*self.only, *([self.grouped_by] if self.grouped_by else [])}

    def reduced(self, there: frozenset[Place], default_currency: str) -> Places:
        """The same without filters that leave nothing out of what is ``there``: a country in which all pay in one
        currency needs no filter by it."""
        names = ("country", "channel", "currency")
        if not there or not self.dimensions <= set(names):
            return self
        found = [dict(zip(names, (*place[:2], place[2] or default_currency), strict=True)) for place in there]
        only = dict(self.only)
        for name in ("currency", "channel", "country"):
            rest = {other: values for other, values in only.items() if other != name}
            left = [one for one in found if all(one[other] in values for other, values in rest.items())]
            if name in only and all(one[name] in only[name] for one in left):
                only = rest
        return Places(only, self.grouped_by)

    @property
    def are_known(self) -> bool:
        """Whether the rollups tell them: customers are those of all orders, or of the values of one dimension."""
        lone = all(dimension == self.grouped_by or len(values) == 1 for dimension, values in self.only.items())
        return len(self.dimensions) <= 1 and self.dimensions <= {"country", "channel", "currency"} and lone

    def kept(self) -> tuple[Kept, ...]:
        """The rollups they need."""
        days = _kept("kept_day_places" if self.dimensions & {"country", "channel"} else "kept_days")
        if not self.dimensions:
            return days, _kept("kept_customer_days")
        (dimension,) = self.dimensions
        rows = Statement(_of(self.dimensions, "sales/kept_customers_of"))
        return days, Kept(f"kept_customers_of_{dimension}", rows)

    def sums(
        self, days: Days, first: date | None, last: date | None, values: Mapping[str, Any], factors: str
    ) -> Statement:
        """CTEs up to ``sums`` for the days from ``first`` to the one before ``last``.

        ``values`` has the zone and the filters; with ``factors`` (SQL) amounts are converted.
        """
        value = self.grouped_by or "NULL::BOOLEAN"
        rollup = "kept_day_places" if self.dimensions & {"country", "channel"} else "kept_days"
        customers = self._customers(days, values["default_currency"])
        ctes = [
            f"rollup_of_days AS (FROM {rollup})",
            f"days AS MATERIALIZED (SELECT *, {days.bucket} AS bucket, {value} AS value "
            f"FROM (\n{statement('sales/days')}\n))",
            *facts_of(statement("sales/facts_of_days"), "sales/converted_days", factors),
            customers.sql,
            f"sums AS (\n{statement('sales/sums_of_days')}\n)",
        ]
        return Statement(", ".join(ctes), {**values, "from_day": first, "to_day": last, **customers.values})

    def _customers(self, days: Days, default_currency: str) -> Statement:
        """The CTE ``customers``, after those it reads."""
        if self.dimensions:
            (dimension,) = self.dimensions
            named = "named" if self.grouped_by else "NULL::BOOLEAN"
            rows = _of(self.dimensions, "sales/days_of_values")
            found = f"SELECT *, {days.bucket} AS bucket, {named} AS value FROM (\n{rows}\n)"
            values = {
                "only": list(self.only[dimension]) if dimension in self.only else None,
                "unnamed": default_currency if dimension == "currency" else None,
                "customers_of": days.grain or None,
            }
            sql = f"customers_of_days AS ({found}), customers AS (\n{statement('sales/customers_of_values')}\n)"
            return Statement(sql, values)
        if not days.grain:
            return Statement(f"customers AS (\n{statement('sales/customers_of_range')}\n)")
        cut = f"cut_days AS (SELECT *, {days.bucket} AS bucket FROM (\n{statement('sales/cut_days')}\n))"
        sql = f"{cut}, customers AS (\n{statement('sales/customers_of_periods')}\n)"
        return Statement(sql, {"customers_of": days.grain, "length": days.step})


@dataclass(frozen=True)
class Factors:
    """SQL for what one unit of each currency was worth on each day, and what has to be ``kept`` for it."""

    sql: str
    kept: tuple[Kept, ...] = ()


def factors_into(currency: str, known: frozenset[str]) -> Factors:
    """What converts into a currency: kept in memory, unless no rate names it, since anybody may ask for anything."""
    if currency not in known:
        return Factors(
            "SELECT NULL::VARCHAR AS currency, NULL::DATE AS day, NULL::DECIMAL(20, 12) AS factor WHERE false"
        )
    factors = statement("sales/factors").replace("$convert", f"'{currency}'")
    kept = Kept(f"kept_factors_{currency}", Statement(statement("sales/kept_factors").replace("{factors}", factors)))
    return Factors(f"FROM {kept.name}", (kept,))


def facts_of(found: str, converted: str = "", factors: str = "") -> list[str]:
    """The CTE ``facts``: rows as they were found, or converted with ``factors`` (SQL); those have a ``day``."""
    if not factors:
        return [f"facts AS (\n{found}\n)"]
    return [
        f"priced AS (\n{found}\n)",
        f"factors AS (\n{factors}\n)",
        f"facts AS (\n{statement(converted)}\n)",
    ]


def local_midnight(moment: datetime | None, zone: ZoneInfo) -> date | None:
    """The day that begins at this instant. Raises ValueError when none does."""
    if moment is None:
        return None
    local = moment.astimezone(zone)
    day = local.date()
    if datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() != moment.timestamp():
        raise ValueError("not the beginning of a day")
    return day


def _kept(name: str) -> Kept:
    """A rollup as it is kept, under the name of its statement."""
    return Kept(name, Statement(statement(f"sales/{name}")))


def _of(dimensions: set[str], name: str) -> str:
    """A statement about the one dimension."""
    (dimension,) = dimensions
    return statement(name).replace("{dimension}", dimension)
