"""What a fitted model of a lake is: something that reads a snapshot and leaves its results in tables of that lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import isfinite
from typing import Any, Literal, Protocol

from shared.catalog.writer import LAKE
from shared.datasets.questions.ranges import local_time, zone_named
from shared.duck import Duck


@dataclass(frozen=True)
class Seen:
    """The snapshot to fit to, attached as ``lake`` in the session, and what an installation says of days and money."""

    duck: Duck
    snapshot: int
    committed_at: datetime
    zone: str
    default_currency: str

    @property
    def values(self) -> dict[str, Any]:
        """What most statements are given."""
        return {"default_currency": self.default_currency}

    def dated(self, table: str = f"{LAKE}.teal.order_totals") -> str:
        """A CTE ``dated``: order totals with their ``day`` by the clock of the zone; nothing that has yet to come."""
        first, last = self.span()
        day = local_time("ordered_at", zone_named(self.zone), first, last)
        until = f"TIMESTAMPTZ '{self.committed_at.isoformat()}'"
        return f"dated AS (SELECT *, ({day})::DATE AS day FROM {table} WHERE ordered_at <= {until})"

    def span(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last instant of an order until the commit."""
        sql = f"SELECT min(ordered_at), max(ordered_at) FROM {LAKE}.teal.order_totals WHERE ordered_at <= $until"
        first, last = self.duck.execute(sql, {"until": self.committed_at})[0]
        return first, last

    def last_day(self) -> date | None:
        """The day that the data ends with."""
        last = self.span()[1]
        return None if last is None else last.astimezone(zone_named(self.zone)).date()


@dataclass(frozen=True)
class ModelRow:
    """What is kept of a fit, for one currency. ``facts`` goes into JSON."""

    model: str
    currency: str
    status: Literal["served", "refused"]
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """What a model found: its rows of teal.models, and the temporary table with the new rows of each of its tables."""

    rows: Sequence[ModelRow]
    results: Mapping[str, str]


class FittedModel(Protocol):
    """Fits to a snapshot."""

    name: str
    tables: tuple[str, ...]
    """Where its results are, in schema `teal`."""

    def fit(self, seen: Seen) -> Fitted:
        """Read the lake, write temporary tables only."""
        ...


def rounded(value: Any) -> Any:
    """Nine significant digits, as the last ones of a search differ from machine to machine; None for no number."""
    return float(f"{value:.9g}") if value is not None and isfinite(value) else None
