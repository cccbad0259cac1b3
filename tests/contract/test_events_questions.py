"""Conversion and sessions: worked by hand, and any events against plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets.question import Context
from shared.datasets.questions.events_conversion import EventConversion
from shared.datasets.questions.events_sessions import EventSessions
from shared.errors import InvalidParameterError
from tests.event_answers import COUNTED, a_range, an_event, asked_by, conversions, sessions
from tests.event_table import BEGIN, EventTable
from tests.web import Web, web_of

HOUR, DAY = 60, 24 * 60


@pytest.fixture(scope="module")
def table() -> EventTable:
    return EventTable()


def event(name: str, at: int, customer: str | None = "a", session: str | None = None, **more: Any) -> dict[str, Any]:
    return {"event_name": name, "at": at, "customer_id": customer, "session_id": session, **more}


def numbers(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_goal_is_credited_to_the_period_of_the_first_event(table):
    table.fill(
        [
            event("view", 0),
            event("view", DAY + 1),
            event("buy", DAY + 2),
            event("view", 5, "b"),
            event("view", 2 * DAY, "b"),
        ]
    )
    rows = table.ask(EventConversion(first="view", goal="buy", window="2h"))
    assert numbers(rows, "period", "tried", "converted", "conversion_rate") == [
        ("2024-03-01", 2, 0, 0), ("2024-03-02", 1, 1, 1), ("2024-03-03", 1, 0, 0),
    ]  # fmt: skip
    longer = table.ask(EventConversion(first="view", goal="buy", window="2d", grain="all"))
    assert numbers(longer, "period", "tried", "converted", "conversion_rate") == [(None, 2, 1, Decimal("0.5"))]


@pytest.mark.parametrize(("window", "converted"), [("10m", 1), ("599s", 0)])
def test_the_end_of_the_window_converts(table, window, converted):
    table.fill([event("view", 0), event("buy", 10)])
    rows = table.ask(EventConversion(first="view", goal="buy", window=window, grain="all"))
    assert numbers(rows, "converted") == [(converted,)]


def test_one_event_is_not_both_unless_anything_is_a_first_event(table):
    table.fill([event("buy", 0), event("buy", 5), event("buy", 0, "b"), event("view", 0, "c")])
    again = table.ask(EventConversion(first="buy", goal="buy", grain="all"))
    assert numbers(again, "tried", "converted") == [(2, 1)]
    anything = table.ask(EventConversion(goal="buy", grain="all"))
    assert numbers(anything, "tried", "converted") == [(3, 2)]


def test_a_period_is_settled_when_its_window_is_over(table):
    table.fill([event("view", 0), event("view", DAY)])
    asked = EventConversion(first="view", goal="buy", window="6h")
    for hours, settled in ((24, [False, False]), (29, [False, False]), (30, [True, False]), (54, [True, True])):
        rows = table.ask(asked, BEGIN + timedelta(hours=hours))
        assert [row["settled"] for row in rows] == settled


def test_periods_without_events_are_there_unless_told_otherwise(table):
    table.fill([event("view", 0), event("view", 3 * DAY)])
    asked = {"first": "view", "start": "2024-02-29", "end": "2024-03-06"}
    filled = table.ask(EventConversion(**asked))
    assert numbers(filled, "tried", "conversion_rate") == [
        (0, None), (1, 0), (0, None), (0, None), (1, 0), (0, None),
    ]  # fmt: skip
    assert len(table.ask(EventConversion(**asked, fill=False))) == 2
    assert len(table.ask(EventConversion(first="view"))) == 4
    table.fill([])
    assert table.ask(EventConversion()) == []
    assert numbers(table.ask(EventConversion(grain="all")), "tried", "settled") == [(0, False)]
    assert numbers(table.ask(EventSessions(grain="all")), "sessions", "bounce_rate") == [(0, None)]


def test_more_periods_than_an_answer_has_are_refused(table):
    table.fill([event("view", 0)])
    with pytest.raises(InvalidParameterError, match="grain: "):
        table.ask(EventConversion(start="0900-01-01", end="2024-01-01"))
    with pytest.raises(InvalidParameterError, match="grain: "):
        EventSessions().doubts(Context(BEGIN), [200_001])
    assert EventSessions().doubts(Context(BEGIN), [200_000]) == []


def test_sessions_worked_by_hand(table):
    table.fill(
        [
            # a pauses for exactly half an hour, then for a minute more
            event("view", 0), event("view", 30), event("purchase", 61),
            # b has an id, which may pause for longer
            event("view", 0, "b", "s1"), event("purchase", 100, "b", "s1"),
            # of no customer at all
            event("view", 7, None, "s2"),
            event("view", 9, None),
        ]
    )  # fmt: skip
    row = table.ask(EventSessions(grain="all"))[0]
    assert numbers([row], "sessions", "events", "bounces", "converted") == [(4, 6, 2, 2)]
    assert row["events_per_session"] == Decimal("1.5")
    # 30 minutes, none, 100 minutes, none.
    assert (row["mean_session_seconds"], row["median_session_seconds"]) == (1950, 900)
    assert (row["bounce_rate"], row["conversion_rate"]) == (Decimal("0.5"), Decimal("0.5"))


def test_a_session_belongs_to_where_it_began_with_all_its_events(table):
    table.fill([event("view", 50), event("view", 70), event("view", 90)])
    for asked, expected in (
        ({"start": "2024-03-01T00:50Z", "end": "2024-03-01T00:51Z"}, [(1, 3)]),
        ({"start": "2024-03-01T00:51Z"}, [(0, 0)]),
        ({"end": "2024-03-01T00:50Z"}, [(0, 0)]),
    ):
        rows = table.ask(EventSessions(grain="all", **asked))
        assert numbers(rows, "sessions", "events") == expected, asked


def test_a_session_is_over_after_a_day_and_an_id_may_be_used_again(table):
    table.fill(
        [event("view", at, None, "s") for at in (0, DAY, DAY + 1, 2 * DAY + 1, 3 * DAY + 2)]
        + [event("view", at, "robot") for at in range(0, 2 * DAY, 20)]
    )
    rows = table.ask(EventSessions(grain="all"))
    # s: from 0 to a day later two of four events, then one more; the robot: a day's 73 of 144 events.
    assert numbers(rows, "sessions", "events", "bounces") == [(3, 2 + 1 + 73, 1)]


def test_periods_are_those_of_the_time_zone(table):
    table.fill([event("view", 23 * HOUR + 30), event("view", 0, "b")])
    rows = table.ask(EventSessions(timezone="Europe/Berlin"))
    assert numbers(rows, "period", "sessions") == [("2024-03-01", 1), ("2024-03-02", 1)]
    assert numbers(table.ask(EventSessions(timezone="America/New_York")), "period") == [
        ("2024-02-29",),
        ("2024-03-01",),
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(an_event, min_size=3, max_size=30), a_range, st.sampled_from([29, 58, 500]), st.booleans())
def test_any_conversion_is_that_of_looking_at_every_event(table, events, ranges, minutes, any_first):
    table.fill(events)
    first = None if any_first else "view"
    asked = EventConversion(first=first, goal="purchase", window=f"{minutes}m", fill=False, **asked_by(ranges))
    got = {(row["period"], row["value"]): (row["tried"], row["converted"]) for row in table.ask(asked)}
    assert got == conversions(events, ranges, minutes, first)


@settings(max_examples=150, deadline=None)
@given(st.lists(an_event, min_size=3, max_size=40), a_range, st.sampled_from([29, 30, 100, 1440]))
def test_any_sessions_are_those_of_walking_through_the_events(table, events, ranges, gap):
    table.fill(events)
    rows = table.ask(EventSessions(gap=gap, fill=False, **asked_by(ranges)))
    expected = sessions(events, ranges, gap)
    assert {(row["period"], row["value"]) for row in rows} == expected.keys()
    for row in rows:
        of_group = expected[row["period"], row["value"]]
        assert numbers([row], *COUNTED) == [tuple(of_group[name] for name in COUNTED)]
        assert row["median_session_seconds"] == Decimal(of_group["median"])
        assert abs(row["mean_session_seconds"] - of_group["mean"]) <= Decimal("0.0005")


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("events"))
    begin = datetime.fromisoformat("2024-03-30T22:30:00+00:00")
    lines = ["event_id,event,time,user_id,country"]
    for number in range(48):
        name = "purchase" if number % 12 == 11 else "view"
        lines.append(f"{number},{name},{(begin + timedelta(hours=number)).isoformat()},c{number % 6},DE")
    web.shop.upload("events", "e.csv", "\n".join(lines) + "\n")
    return web


def test_days_over_http_are_those_of_the_clock_also_when_it_changes(web):
    rows = web.rows("events/sessions", timezone="Europe/Berlin")
    # 23:30, then the day of 23 hours, then 24 of the next one.
    assert numbers(rows, "period", "sessions", "complete") == [
        ("2024-03-30", 1, True), ("2024-03-31", 23, True), ("2024-04-01", 24, True),
    ]  # fmt: skip
    assert sum(row["converted"] for row in rows) == 4


def test_conversion_over_http_by_country_and_with_conditions(web):
    asked = {"first": "view?country=DE", "goal": "purchase", "grain": "month", "dimension": "country"}
    rows = web.rows("events/conversion", **asked)
    # All six look in both months; only c5 buys, in both, six hours after looking.
    assert numbers(rows, "period", "value", "tried", "converted", "conversion_rate") == [
        ("2024-03-01", "DE", 6, 1, "0.166667"), ("2024-04-01", "DE", 6, 1, "0.166667"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("events/conversion", {"window": "1w"}),
        ("events/conversion", {"goal": ""}),
        ("events/conversion", {"goal": "buy?colour=red"}),
        ("events/conversion", {"grain": "hour"}),
        ("events/sessions", {"gap": 0}),
        ("events/sessions", {"gap": 1441}),
        ("events/sessions", {"from": "2024-01-02", "to": "2024-01-01"}),
        ("events/sessions", {"entity": "customer"}),
    ],
)
def test_what_cannot_be_asked_is_refused(web, question, asked):
    answer = web.client.get(f"/v1/{question}", params=asked)
    assert answer.json()["code"] == "invalid_parameter"
    assert next(iter(asked)) in answer.json()["detail"] or "to: " in answer.json()["detail"]
