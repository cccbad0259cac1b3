"""What is true of a snapshot, whatever is asked of it: found once, and remembered while it is the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.catalog.reader import PinnedLake
from shared.catalog.schema import own_columns
from shared.datasets.question import Fit, Place
from shared.sql.load import statement

ROLLUPS = {"teal.order_totals", "teal.sales_days", "teal.customer_days", "teal.customer_totals"}
"""What questions read instead of the facts where a snapshot has all of it."""

MAX_PLACES = 10_000
"""Countries, channels and currencies together that are looked at before a question is asked."""


@dataclass(frozen=True)
class Facts:
    """What is true of a snapshot, whatever is asked: span of its orders, data files and their bytes by table.

    ``rollup_zone`` is the time zone of the days of its rollups, "" when there is none or more than one.
    """

    span: tuple[datetime, datetime] | None
    files: Mapping[str, tuple[int, int]]
    rollup_zone: str = ""
    places: frozenset[Place] = frozenset()
    rate_currencies: frozenset[str] = frozenset()
    fits: Mapping[tuple[str, str], Fit] = field(default_factory=dict)

    def touched(self, tables: tuple[str, ...]) -> tuple[int, int]:
        """Files and bytes of some tables: an upper bound of what a question reads."""
        found = [self.files.get(table.rpartition(".")[2], (0, 0)) for table in tables]
        return sum(files for files, _ in found), sum(size for _, size in found)


def facts_of(lake: PinnedLake) -> Facts:
    """Ask a snapshot for its facts."""
    first, last = lake.duck.execute(statement("sales/span"))[0]
    files = {
        table: (int(count), int(size))
        for table, count, size in lake.duck.execute(statement("lake/files"), {"lake": lake.alias})
    }
    # A snapshot of an earlier version may lack a rollup, or columns of one; its questions read the facts.
    whole = _whole_tables(lake)
    places = lake.duck.execute(statement("sales/zones")) if whole >= ROLLUPS else []
    zones = {zone for zone, *_ in places}
    span = (_instant(first), _instant(last)) if first is not None else None
    return Facts(
        span,
        files,
        rollup_zone=zones.pop() if len(zones) == 1 else "",
        places=frozenset((country, channel, currency) for _, country, channel, currency in places)
        if len(places) <= MAX_PLACES
        else frozenset(),
        rate_currencies=frozenset(currency for (currency,) in lake.duck.execute(statement("sales/rate_currencies"))),
        fits=_fits_of(lake) if "teal.models" in whole else {},
    )


def _whole_tables(lake: PinnedLake) -> frozenset[str]:
    """Tables of ours, as `teal.table`, of which the snapshot has every column that this version of the code reads."""
    there = {tuple(row) for row in lake.duck.execute(statement("lake/own_columns"), {"lake": lake.alias})}
    return frozenset(
        table for table, columns in own_columns().items() if all((table, name) in there for name in columns)
    )


def _fits_of(lake: PinnedLake) -> Mapping[tuple[str, str], Fit]:
    rows = lake.duck.execute(statement("lake/fits"))
    return {
        (model, currency): Fit(status, reason, snapshot, _instant(fitted_at), json.loads(facts))
        for model, currency, status, reason, snapshot, fitted_at, facts in rows
    }


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
