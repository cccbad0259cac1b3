"""When a shop is busy: the year, the week, the day, campaigns and outages, as one clock that runs faster when it is.

The rule: whole numbers only, and no randomness but the seed's. People act by the shop's own time, which flows evenly;
the clock says which second of the calendar that is. So a season makes everybody's purchases denser alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from itertools import accumulate
from typing import Any

SLOT_SECONDS = 1_800
"""The shop's own time between two marks of the clock."""

EVEN = 1_000
"""The factor of a day like any other."""


@dataclass(frozen=True)
class Day:
    """A day of the calendar: how busy it is (1,000 is even) and why; ``closes`` is the first day of the next month."""

    on: date
    factor: int = EVEN
    event: str = ""

    @property
    def closes(self) -> date:
        """When the month of this day is over."""
        return (self.on.replace(day=1) + timedelta(days=32)).replace(day=1)

    @property
    def is_campaign(self) -> bool:
        """Whether things are cheaper."""
        return self.factor > EVEN


def calendar(shop: Mapping[str, Any], seed: int, start: date, end: date) -> list[Day]:
    """Every day from ``start`` to before ``end``, with its campaign or outage."""
    events: dict[date, tuple[int, str]] = {}
    for year in range(start.year, end.year + 1):
        first = date(year, 1, 1)
        count = (date(year + 1, 1, 1) - first).days
        for kind, name in (("flash", shop["flash"]["name"]), ("outage", "outage")):
            for number in range(shop[kind]["per_year"]):
                day = first + timedelta(days=_below(count, seed, kind, year, number))
                events[day] = (shop[kind]["factor"], name)
        for campaign in shop["campaign"]:
            day = _begin(campaign, year)
            events |= {day + timedelta(days=n): (f, campaign["name"]) for n, f in enumerate(campaign["factors"])}
    days = (start + timedelta(days=number) for number in range((end - start).days))
    return [Day(day, *events.get(day, (EVEN, ""))) for day in days]


def clock(year: Mapping[str, Sequence[int]], days: Sequence[Day]) -> list[int]:
    """The second since the first midnight at each mark of the shop's own time; the last is the end."""
    weights = [hour * _busy(year, day) // EVEN for day in days for hour in year["hours"]]
    sums = [0, *accumulate(weights)]
    marks = len(days) * 86_400 // SLOT_SECONDS
    found = []
    for mark in range(marks):
        wanted = sums[-1] * mark // marks
        hour = bisect_right(sums, wanted) - 1
        found.append(hour * 3_600 + (wanted - sums[hour]) * 3_600 // weights[hour])
    return [*found, len(days) * 86_400]


def _begin(campaign: Mapping[str, Any], year: int) -> date:
    """The day it is on, or the nth weekday of the month."""
    if "day" in campaign:
        return date(year, campaign["month"], campaign["day"])
    first = date(year, campaign["month"], 1)
    return first + timedelta(days=(campaign["weekday"] - first.weekday()) % 7 + 7 * (campaign["nth"] - 1))


def _busy(year: Mapping[str, Sequence[int]], day: Day) -> int:
    """How busy a day is, in thousandths of thousandths; months flow into each other from middle to middle."""
    months, before = year["months"], day.on.day < 16
    here, other = day.on.month - 1, (day.on.month - (2 if before else 0)) % 12
    far = min(abs(day.on.day - 16), 15)
    month = (months[here] * (30 - far) + months[other] * far) // 30
    return month * year["weekdays"][day.on.weekday()] * day.factor // EVEN


def _below(count: int, *purpose: object) -> int:
    """A number below ``count`` that these words decide."""
    return int.from_bytes(blake2b(repr(purpose).encode(), digest_size=8).digest()) % count
