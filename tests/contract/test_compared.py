"""What a range or a period is compared with: over leap days, changes of the clock and instants in other zones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.datasets.questions.ranges import back, hour_before, range_before
from tests.web import Web, web_of

DAYS = [date(2022, 12, 1) + timedelta(days=number) for number in range(1200)]
"""Every day until 14 March 2026; each sells its number."""
SOLD = {day: number + 1 for number, day in enumerate(DAYS)}


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("compared"))
    rows = "".join(f"{day},{day}T12:00:00Z,{sold}\n" for day, sold in SOLD.items())
    assert web.shop.upload("orders", "o.csv", f"order_id,ordered_at,total\n{rows}").status == "loaded"
    return web


def previous(web: Web, question: str, start: date, end: date, **asked: Any) -> list[float | None]:
    edges = {"from": start.isoformat(), "to": end.isoformat()}
    rows = web.rows(question, **edges, compare=asked.pop("compare", "previous_year"), numbers="number", **asked)
    return [row["net_sales_previous"] for row in rows]


def a_year_later(day: date) -> date:
    """29 February is counted with the 28th; no day of a shorter year becomes a 29 February."""
    return day.replace(year=day.year + 1) if (day.month, day.day) != (2, 29) else date(day.year + 1, 2, 28)


def beside(start: date, end: date) -> dict[date, float | None]:
    sums: Counter[date] = Counter()
    for day, sold in SOLD.items():
        sums[a_year_later(day)] += sold
    asked = [start + timedelta(days=number) for number in range((end - start).days)]
    return {day: None if (day.month, day.day) == (2, 29) else sums[day] for day in asked}


RANGES = [
    (date(2024, 2, 1), date(2024, 3, 1)),
    (date(2024, 2, 28), date(2024, 2, 29)),
    (date(2024, 2, 29), date(2024, 3, 1)),
    (date(2024, 2, 27), date(2024, 2, 29)),
    (date(2024, 2, 29), date(2024, 3, 3)),
    (date(2025, 2, 1), date(2025, 3, 1)),
    (date(2025, 2, 28), date(2025, 3, 1)),
    (date(2025, 2, 27), date(2025, 2, 28)),
    (date(2025, 3, 1), date(2025, 3, 2)),
    (date(2024, 1, 1), date(2025, 1, 1)),
    (date(2025, 1, 1), date(2026, 1, 1)),
]


@pytest.mark.parametrize(("start", "end"), RANGES, ids=lambda day: f"{day:%y%m%d}")
def test_days_beside_those_of_a_year_before_add_up_to_the_range(web, start, end):
    expected = beside(start, end)
    assert previous(web, "sales/by-period", start, end, grain="day", fill=True) == list(expected.values())
    known = [sold for sold in expected.values() if sold is not None]
    assert previous(web, "sales/summary", start, end) == [sum(known) if known else None]
    for grain in ("hour", "month", "year"):
        found = previous(web, "sales/by-period", start, end, grain=grain)
        assert sum(sold or 0 for sold in found) == sum(known), grain


def test_29_february_is_beside_nothing_and_every_earlier_day_is_beside_one(web):
    days = {row["period"]: row for row in web.rows(
        "sales/by-period", **{"from": "2024-02-27", "to": "2024-03-02"}, compare="previous_year", numbers="number"
    )}  # fmt: skip
    # by hand: 28 February 2023 is the 90th day since 1 December
    assert {day: row["net_sales_previous"] for day, row in days.items()} == {
        "2024-02-27": 89, "2024-02-28": 90, "2024-02-29": None, "2024-03-01": 91,
    }  # fmt: skip
    assert days["2024-02-29"]["net_sales_change"] is None
    assert previous(web, "sales/by-period", date(2024, 2, 28), date(2024, 2, 29)) == [90]
    assert previous(web, "sales/by", date(2024, 2, 29), date(2024, 3, 1), dimension="country") == [None]
    # and a year later: the 455th and 456th day
    assert previous(web, "sales/by-period", date(2025, 2, 27), date(2025, 3, 2)) == [454, 455 + 456, 457]


@pytest.mark.parametrize(
    ("step", "day", "earlier"),
    [
        ("1 year", "2024-02-29", "2023-03-01"),
        ("1 year", "2025-02-28", "2024-02-28"),
        ("1 year", "2025-03-01", "2024-03-01"),
        ("1 month", "2024-03-31", "2024-03-01"),
        ("1 month", "2024-03-30", "2024-03-01"),
        ("1 month", "2024-03-29", "2024-02-29"),
        ("1 month", "2024-01-31", "2023-12-31"),
        ("3 months", "2024-05-31", "2024-03-01"),
        ("364 days", "2024-12-30", "2024-01-01"),
        ("1 day", "2024-03-31", "2024-03-30"),
    ],
)
def test_a_day_that_the_earlier_month_lacks_is_the_end_of_that_month(step, day, earlier):
    zone = ZoneInfo("Europe/Berlin")
    at = datetime.fromisoformat(day).replace(tzinfo=zone)
    assert back(step)(at, zone).isoformat()[:16] == f"{earlier}T00:00"


@pytest.mark.parametrize("step", ["1 year", "1 month", "3 months"])
def test_ranges_that_follow_each_other_do_so_earlier_too(step):
    zone, first = ZoneInfo("Europe/Berlin"), datetime(2024, 1, 1, tzinfo=UTC)
    moments = [(first + timedelta(hours=hour)).astimezone(zone) for hour in range(366 * 24)]
    earlier = [back(step)(moment, zone).timestamp() for moment in moments]
    assert earlier == sorted(earlier)


def test_an_hour_is_compared_with_the_hour_before_it_over_a_change_of_the_clock():
    berlin, lord_howe = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
    for zone, moment, expected in (
        (berlin, "2024-10-27T02:00+01:00", "2024-10-27T00:00+00:00"),
        (berlin, "2024-10-27T03:20+01:00", "2024-10-27T01:20+00:00"),
        (berlin, "2024-03-31T03:00+02:00", "2024-03-31T00:00+00:00"),
        (lord_howe, "2024-04-07T02:00+10:30", "2024-04-06T15:00+00:00"),
        (lord_howe, "2024-04-07T02:20+10:30", "2024-04-06T15:20+00:00"),
        (lord_howe, "2024-04-07T02:40+10:30", "2024-04-06T15:30+00:00"),
        (lord_howe, "2024-04-07T01:30+10:30", "2024-04-06T14:00+00:00"),
    ):
        assert hour_before(datetime.fromisoformat(moment), zone) == datetime.fromisoformat(expected), moment


@pytest.mark.parametrize(
    ("start", "end", "earlier"),
    [
        # whole days by the clock, whatever zone they are written in: the day before has 25 hours
        ("2024-10-28T00:00+01:00", "2024-10-29T00:00+01:00", "2024-10-26T22:00+00:00"),
        ("2024-10-27T23:00Z", "2024-10-29T00:00+01:00", "2024-10-26T22:00+00:00"),
        # anything else by its length
        ("2024-10-27T00:00+02:00", "2024-10-27T12:00+01:00", "2024-10-26T09:00+00:00"),
        ("2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-26T23:00+00:00"),
        ("2024-10-27T02:30+02:00", "2024-10-27T02:00+01:00", "2024-10-27T00:00+00:00"),
    ],
)
def test_the_range_before_is_as_long_and_ends_where_the_asked_one_begins(start, end, earlier):
    zone = ZoneInfo("Europe/Berlin")
    first, last = (datetime.fromisoformat(one).astimezone(zone) for one in (start, end))
    before = range_before(first, last)
    assert before(first, zone) == datetime.fromisoformat(earlier)
    assert before(last, zone).timestamp() == first.timestamp()
