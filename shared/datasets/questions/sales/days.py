"""Sales of whole days from the rollup of days, which costs what the days do, not what their orders do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.datasets.question import Statement
from shared.sql.load import statement

KEPT = ("sales/kept_days", "sales/kept_customer_days")
DAYS = (
    *KEPT, "sales/days", "sales/cut_days", "sales/customers_of_range", "sales/customers_of_periods",
    "sales/sums_of_days",
)  # fmt: skip


@dataclass(frozen=True)
class Days:
    """How days are put together: ``bucket`` is SQL over ``day``; ``grain`` and ``step`` are of the periods, if any."""

    bucket: str
    grain: str = ""
    step: str = ""

    def sums(self, first: date | None, last: date | None, values: dict[str, Any]) -> Statement:
        """CTEs up to ``sums`` for the days from ``first`` to the one before ``last``; ``values`` has the zone."""
        values = {**values, "from_day": first, "to_day": last}
        customers = statement("sales/customers_of_range")
        ctes = f"days AS MATERIALIZED (SELECT *, {self.bucket} AS bucket FROM (\n{statement('sales/days')}\n))"
        if self.grain:
            customers = statement("sales/customers_of_periods")
            values |= {"customers_of": self.grain, "length": self.step}
            ctes += f", cut_days AS (SELECT *, {self.bucket} AS bucket FROM (\n{statement('sales/cut_days')}\n))"
        ctes += f", customers AS (\n{customers}\n), sums AS (\n{statement('sales/sums_of_days')}\n)"
        return Statement(ctes, values)


def local_midnight(moment: datetime | None, zone: ZoneInfo) -> date | None:
    """The day that begins at this instant. Raises ValueError when none does."""
    if moment is None:
        return None
    local = moment.astimezone(zone)
    day = local.date()
    if datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() != moment.timestamp():
        raise ValueError("not the beginning of a day")
    return day
