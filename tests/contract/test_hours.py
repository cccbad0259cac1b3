"""Hours by the clock of a time zone, also where the clock changes, against a walk from minute to minute in Python."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tests.web import Web, web_of

MINUTE = timedelta(minutes=1)
AROUND = {
    "Europe/Berlin in spring": ("Europe/Berlin", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    "Europe/Berlin in autumn": ("Europe/Berlin", datetime(2024, 10, 27, 1, tzinfo=UTC)),
    "America/New_York in autumn": ("America/New_York", datetime(2024, 11, 3, 6, tzinfo=UTC)),
    "half an hour back on Lord Howe": ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    "half an hour ahead on Lord Howe": ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    "45 minutes in Chatham": ("Pacific/Chatham", datetime(2024, 4, 6, 14, tzinfo=UTC)),
    "45 minutes in Kathmandu": ("Asia/Kathmandu", datetime(2024, 4, 6, 14, tzinfo=UTC)),
    "half an hour for good in Caracas": ("America/Caracas", datetime(2016, 5, 1, 7, tzinfo=UTC)),
    "a minute after midnight in Newfoundland": ("America/St_Johns", datetime(2006, 10, 29, 2, 31, tzinfo=UTC)),
    "midnight in Havana": ("America/Havana", datetime(2024, 11, 3, 5, tzinfo=UTC)),
    "a day left out in Samoa": ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
}


def instants(middle: datetime) -> list[datetime]:
    """Every seven minutes from two days before to two days after; a whole hour every day is without any."""
    first = middle - timedelta(days=2)
    found = [first + step * 7 * MINUTE for step in range(4 * 24 * 60 // 7)]
    return [moment for moment in found if moment.hour != 20]


def all_instants() -> list[datetime]:
    return sorted({moment for _, middle in AROUND.values() for moment in instants(middle)})


def hours(zone: ZoneInfo, start: datetime, end: datetime) -> dict[str, list[datetime]]:
    """The minutes of each hour by its name: as long as hour and offset stay, it is the same one."""
    found: dict[tuple[str, timedelta | None], list[datetime]] = {}
    moment = start
    while moment < end:
        local = moment.astimezone(zone)
        found.setdefault((f"{local:%Y-%m-%d %H}", local.utcoffset()), []).append(moment)
        moment += MINUTE
    return {minutes[0].astimezone(zone).isoformat(timespec="minutes"): minutes for minutes in found.values()}


def shop(folder, moments: list[datetime], web: Web | None = None) -> Web:
    web = web or web_of(folder)
    rows = "".join(f"{moment:%Y%m%d%H%M},{moment.isoformat()},1\n" for moment in moments)
    assert web.shop.upload("orders", "o.csv", f"order_id,ordered_at,total\n{rows}").status == "loaded"
    web.fresh()
    return web


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    return shop(tmp_path_factory.mktemp("hours"), all_instants())


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("fill", [True, False])
def test_every_hour_of_the_clock_is_one_row_with_what_was_sold_in_it(web, name, fill):
    zone_name, middle = AROUND[name]
    start, end = middle - timedelta(hours=30, minutes=15), middle + timedelta(hours=30, minutes=59)
    zone = ZoneInfo(zone_name)
    first_hour = hours(zone, start - 60 * MINUTE, start + MINUTE)
    begins = list(first_hour.values())[-1][0]
    sold = {one for one in all_instants() if start <= one < end}
    counts = {label: len(sold.intersection(minutes)) for label, minutes in hours(zone, begins, end).items()}
    expected = {label: count for label, count in counts.items() if count or fill}
    asked = {"grain": "hour", "timezone": zone_name, "fill": fill, "from": start.isoformat(), "to": end.isoformat()}
    rows = web.rows("sales/by-period", **asked)
    assert [(row["period"], row["orders"]) for row in rows] == list(expected.items())
    assert sum(row["orders"] for row in rows) == web.rows("sales/summary", **asked_range(asked))[0]["orders"]


def asked_range(asked: dict) -> dict:
    return {name: asked[name] for name in ("from", "to", "timezone")}


def test_the_hours_around_a_change_by_hand(web):
    def periods(zone: str, start: str, end: str) -> list[str]:
        rows = web.rows("sales/by-period", grain="hour", timezone=zone, **{"from": start, "to": end})
        return [row["period"] for row in rows]

    assert periods("Europe/Berlin", "2024-10-27T01:00", "2024-10-27T04:00") == [
        "2024-10-27T01:00+02:00",
        "2024-10-27T02:00+02:00",
        "2024-10-27T02:00+01:00",
        "2024-10-27T03:00+01:00",
    ]
    assert periods("Europe/Berlin", "2024-03-31T01:00", "2024-03-31T04:00") == [
        "2024-03-31T01:00+01:00",
        "2024-03-31T03:00+02:00",
    ]
    assert periods("Australia/Lord_Howe", "2024-04-07T01:00", "2024-04-07T03:00") == [
        "2024-04-07T01:00+11:00",
        "2024-04-07T01:30+10:30",
        "2024-04-07T02:00+10:30",
    ]
    assert periods("UTC", "2024-03-31T01:00", "2024-03-31T03:00") == [
        "2024-03-31T01:00+00:00",
        "2024-03-31T02:00+00:00",
    ]


@pytest.mark.parametrize("name", AROUND)
def test_a_period_named_in_an_answer_is_the_range_of_its_hour(web, name):
    zone, middle = AROUND[name]
    edges = {"from": (middle - timedelta(hours=5)).isoformat(), "to": (middle + timedelta(hours=5)).isoformat()}
    rows = web.rows("sales/by-period", grain="hour", timezone=zone, **edges)
    for row, following in pairwise(rows[1:]):
        asked = {"from": row["period"], "to": following["period"], "timezone": zone}
        assert web.rows("sales/summary", **asked)[0]["orders"] == row["orders"], row["period"]


@pytest.mark.parametrize("name", AROUND)
def test_each_hour_is_beside_the_one_before_it(web, name):
    zone, middle = AROUND[name]
    wide = {"from": (middle - timedelta(hours=9)).isoformat(), "to": (middle + timedelta(hours=6)).isoformat()}
    rows = web.rows("sales/by-period", grain="hour", timezone=zone, **wide)
    asked = {"from": rows[2]["period"], "to": rows[-1]["period"]}
    beside = web.rows("sales/by-period", grain="hour", timezone=zone, compare="previous_period", **asked)
    assert [(row["period"], row["orders"], row["orders_previous"]) for row in beside] == [
        (row["period"], row["orders"], before["orders"]) for before, row in pairwise(rows[1:-1])
    ]


@pytest.mark.parametrize("name", AROUND)
def test_pages_of_hours_follow_each_other(web, name):
    zone, middle = AROUND[name]
    edges = {"from": (middle - timedelta(hours=5)).isoformat(), "to": (middle + timedelta(hours=5)).isoformat()}
    asked = {"grain": "hour", "timezone": zone, **edges}
    rows, cursor = [], None
    while cursor or not rows:
        body = web.client.get("/v1/sales/by-period", params={**asked, "limit": 3, "cursor": cursor} if cursor else {
            **asked, "limit": 3,
        }).json()  # fmt: skip
        rows, cursor = [*rows, *body["rows"]], body["next"]
    assert rows == web.rows("sales/by-period", **asked)
    assert len({row["period"] for row in rows}) == len(rows)


@pytest.mark.parametrize("zone_name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_hours_beside_those_of_a_year_before_add_up_to_the_year_before(tmp_path, zone_name):
    """The changes of the clock are on other days of the two years; what the later year lacks is still counted."""
    zone = ZoneInfo(zone_name)
    # 31 hours apart, so that every hour of the day is met; and around the changes of both years every 20 minutes.
    start = datetime(2023, 1, 1, tzinfo=zone).astimezone(UTC)
    moments = {start + timedelta(hours=31 * step, minutes=step % 60) for step in range(280)}
    for year in (2023, 2024):
        for month in (3, 4, 10, 11):
            for day in range(1, 32):
                try:
                    local = datetime(2023, month, datetime(year, month, day).day, 0, 10, tzinfo=zone)
                except ValueError:
                    continue
                moments |= {local.astimezone(UTC) + timedelta(minutes=20 * step) for step in range(12)}
    web = shop(tmp_path, sorted(moments))
    expected: Counter[str] = Counter()
    for moment in moments:
        local = moment.astimezone(zone).replace(tzinfo=None)
        if local.year == 2023:
            # Python's fold=0: the first of two, and after a gap as far behind it
            later = local.replace(year=2024, tzinfo=zone, fold=0).astimezone(UTC)
            expected[list(hours(zone, later - 60 * MINUTE, later + MINUTE))[-1]] += 1
    asked = {"grain": "hour", "timezone": zone_name, "from": "2024-01-01", "to": "2025-01-01"}
    found, cursor = {}, None
    while cursor or not found:
        more = {"cursor": cursor} if cursor else {}
        body = web.client.get("/v1/sales/by-period", params={**asked, "compare": "previous_year", **more}).json()
        found |= {row["period"]: row["orders_previous"] for row in body["rows"]}
        cursor = body["next"]
    assert {period: count for period, count in found.items() if count} == dict(expected)
    assert (
        sum(expected.values())
        == web.rows("sales/summary", **{**asked_range(asked), "compare": "previous_year"})[0]["orders_previous"]
    )


def test_days_of_23_and_25_hours_are_one_row_and_a_day_that_never_was_is_none(web):
    def days(zone: str, start: str, end: str) -> list[tuple[str, int]]:
        rows = web.rows("sales/by-period", timezone=zone, **{"from": start, "to": end})
        return [(row["period"], row["orders"]) for row in rows]

    for name in ("Europe/Berlin in spring", "Europe/Berlin in autumn", "a day left out in Samoa"):
        zone_name, middle = AROUND[name]
        zone = ZoneInfo(zone_name)
        expected = Counter(f"{one.astimezone(zone):%Y-%m-%d}" for one in all_instants())
        around = sorted({f"{one.astimezone(zone):%Y-%m-%d}" for one in instants(middle)})
        assert days(zone_name, around[0], around[-1]) == [(day, expected[day]) for day in around[:-1]]
    assert [day for day, _ in days("Pacific/Apia", "2011-12-29", "2012-01-01")] == ["2011-12-29", "2011-12-31"]


def test_an_hour_is_complete_when_it_was_over_at_the_commit(tmp_path):
    web = web_of(tmp_path)
    now = datetime.now(UTC)
    web.shop.upload("orders", "o.csv", f"order_id,ordered_at,total\n1,{now - timedelta(hours=3)},1\n")
    web.fresh()
    asked = {"from": (now - timedelta(hours=2)).isoformat(), "to": (now + timedelta(hours=2)).isoformat()}
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        body = web.client.get("/v1/sales/by-period", params={"grain": "hour", "timezone": zone, **asked}).json()
        committed_at = datetime.fromisoformat(body["committed_at"])
        for row in body["rows"]:
            ends = datetime.fromisoformat(row["period"]) + timedelta(hours=1)
            assert row["complete"] == (ends <= committed_at), row
        assert {row["complete"] for row in body["rows"]} == {True, False}
