"""Questions about events beside an earlier time: worked by hand, and any events against plain Python."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.datasets.questions.events_conversion import EventConversion
from shared.datasets.questions.events_funnel import EventFunnel
from shared.datasets.questions.events_sessions import EventSessions
from shared.errors import InvalidParameterError
from tests.event_answers import (
    COUNTED,
    DAY,
    Group,
    a_funnel,
    a_range,
    an_event,
    an_event_of_a_way,
    asked_by,
    conversions,
    expected_rows,
    sessions,
)
from tests.event_table import BEGIN, EventTable


@pytest.fixture(scope="module")
def table() -> EventTable:
    return EventTable()


def later_by(ranges: dict[str, Any]) -> int:
    """By how many minutes the earlier time is before the asked one."""
    if ranges["grain"] == "all":
        assume(ranges["from"] is not None and ranges["to"] is not None)
        return int(ranges["to"] - ranges["from"])
    return DAY if ranges["grain"] == "day" else 7 * DAY


def groups_of(now: dict[Group, Any], before: dict[Group, Any], ranges: dict[str, Any]) -> set[Group]:
    """The rows: those of now, and of before up to the end of the range or of the data."""
    last = max((group[0] or "" for group in now), default="")
    return {*now, *(group for group in before if ranges["to"] is not None or (group[0] or "") <= last)}


def change(now: Any, before: Any) -> Decimal | None:
    return Decimal(now - before) / Decimal(before) if before else None


@settings(max_examples=150, deadline=None)
@given(st.lists(an_event, min_size=3, max_size=30), a_range, st.sampled_from([29, 58, 500]))
def test_any_conversion_is_beside_that_of_the_time_before(table, events, ranges, minutes):
    later = later_by(ranges)
    table.fill(events)
    asked = {"first": "view", "goal": "purchase", "window": f"{minutes}m", "fill": False, **asked_by(ranges)}
    rows = table.ask(EventConversion(**asked, compare="previous_period"))
    now = conversions(events, ranges, minutes, "view")
    before = conversions(events, ranges, minutes, "view", later)
    assert {(row["period"], row["value"]) for row in rows} == groups_of(now, before, ranges)
    for row in rows:
        group = (row["period"], row["value"])
        assert (row["tried"], row["converted"]) == now.get(group, (0, 0))
        assert (row["tried_previous"], row["converted_previous"]) == before.get(group, (0, 0))
        rate = row["conversion_rate_previous"]
        assert (rate is None) == (group not in before)
        if group in before:
            assert abs(rate - Decimal(before[group][1]) / before[group][0]) <= Decimal("0.0000005")
            assert abs(row["tried_change"] - change(row["tried"], before[group][0])) <= Decimal("0.0000005")


@settings(max_examples=150, deadline=None)
@given(st.lists(an_event, min_size=3, max_size=40), a_range, st.sampled_from([29, 100]))
def test_any_sessions_are_beside_those_of_the_time_before(table, events, ranges, gap):
    later = later_by(ranges)
    table.fill(events)
    rows = table.ask(EventSessions(gap=gap, fill=False, **asked_by(ranges), compare="previous_period"))
    now, before = sessions(events, ranges, gap), sessions(events, ranges, gap, later)
    assert {(row["period"], row["value"]) for row in rows} == groups_of(now, before, ranges)
    nothing = dict.fromkeys(COUNTED, 0)
    for row in rows:
        of_now, of_before = (found.get((row["period"], row["value"]), nothing) for found in (now, before))
        assert {name: row[name] for name in COUNTED} == {name: of_now[name] for name in COUNTED}
        assert {name: row[f"{name}_previous"] for name in COUNTED} == {name: of_before[name] for name in COUNTED}
        assert row["median_session_seconds_previous"] == of_before.get("median")
        if of_before["sessions"]:
            assert abs(row["mean_session_seconds_previous"] - of_before["mean"]) <= Decimal("0.0005")


@settings(max_examples=100, deadline=None)
@given(st.lists(an_event_of_a_way, min_size=4, max_size=25), a_funnel)
def test_any_funnel_is_beside_that_of_the_range_before(table, events, asked):
    table.fill(events)
    given = {name: (BEGIN + timedelta(minutes=asked[name])).isoformat() for name in ("from", "to")}
    given |= {"window": f"{asked['window']}m", "compare": "previous_period"}
    rows = table.ask(EventFunnel(**{**asked, **given}))
    of_now = {**asked, "order": "ordered"}
    now = expected_rows(events, of_now)
    before = expected_rows(events, {**of_now, "from": 2 * asked["from"] - asked["to"], "to": asked["from"]})
    assert {(row["value"], row["step"]) for row in rows} == {*now, *before}
    names = ("entities", "median_step_seconds", "median_total_seconds")
    for row in rows:
        cell = (row["value"], row["step"])
        assert tuple(row[name] for name in names) == now.get(cell, (0, None, None))
        assert tuple(row[f"{name}_previous"] for name in names) == before.get(cell, (0, None, None))
        assert row["event"] == asked["step"][row["step"] - 1]


def test_a_funnel_worked_by_hand(table):
    def views(day: int, names: str, customer: str) -> list[dict[str, Any]]:
        return [
            {"event_name": name, "customer_id": customer, "at": day * DAY + place} for place, name in enumerate(names)
        ]

    table.fill([*views(0, "AB", "x"), *views(0, "A", "y"), *views(1, "AB", "x"), *views(1, "AB", "z")])
    range_ = {"start": "2024-03-02", "end": "2024-03-03"}
    rows = table.ask(EventFunnel(step=["A", "B"], **range_, window="1h", compare="previous_period"))
    assert [(row["entities"], row["entities_previous"], row["entities_change"]) for row in rows] == [
        (2, 2, 0), (2, 1, 1),
    ]  # fmt: skip
    assert [(row["total_rate"], row["total_rate_previous"]) for row in rows] == [(1, 1), (1, Decimal("0.5"))]
    assert rows[1]["step_rate_change"] == 1


def test_a_day_that_the_year_before_did_not_have_is_beside_nothing(table):
    table.fill([
        {"event_name": "view", "customer_id": "a", "at": at * DAY + 60}
        for at in (-2, -1, 0, 1 - 366, 0 - 366, -1 - 366, 365, 364)
    ])  # fmt: skip
    # BEGIN is 1 March 2024: a session on 28 and 29 February, 1 March 2024, on 28 February, 1 and 2 March 2023, and on
    # 28 February and 1 March 2025.
    asked = {"compare": "previous_year", "grain": "day"}
    rows = table.ask(EventSessions(start="2024-02-28", end="2024-03-03", **asked))
    assert [(row["period"], row["sessions"], row["sessions_previous"]) for row in rows] == [
        ("2024-02-28", 1, 1), ("2024-02-29", 1, None), ("2024-03-01", 1, 1), ("2024-03-02", 0, 1),
    ]  # fmt: skip
    rows = table.ask(EventSessions(start="2025-02-28", end="2025-03-02", **asked))
    assert [(row["period"], row["sessions"], row["sessions_previous"]) for row in rows] == [
        ("2025-02-28", 1, 2), ("2025-03-01", 1, 1),
    ]  # fmt: skip
    # A range that lies in no earlier year at all.
    only = {"start": "2024-02-29", "end": "2024-03-01", "grain": "all", "compare": "previous_year"}
    assert table.ask(EventSessions(**only))[0]["sessions_previous"] is None


def test_the_window_and_the_end_of_a_session_lie_after_the_earlier_range_too(table):
    table.fill([
        {"event_name": name, "customer_id": "a", "session_id": "s", "at": at}
        for name, at in (("view", DAY - 10), ("purchase", DAY + 10))
    ])  # fmt: skip
    asked = {"start": "2024-03-02", "end": "2024-03-03", "grain": "all", "compare": "previous_period"}
    conversion = table.ask(EventConversion(first="view", window="1h", **asked))[0]
    assert (conversion["tried"], conversion["tried_previous"], conversion["converted_previous"]) == (0, 1, 1)
    session = table.ask(EventSessions(**asked))[0]
    assert (session["sessions"], session["events_previous"], session["converted_previous"]) == (0, 2, 1)


def test_whether_a_row_of_the_earlier_range_alone_is_settled_goes_by_the_asked_range(table):
    table.fill([{"event_name": "view", "customer_id": "a", "country": "DE", "at": 0}])
    asked = {"start": "2024-03-02", "end": "2024-03-03", "grain": "all", "dimension": "country"}
    for hours, complete in ((24, False), (48, True)):
        rows = table.ask(EventSessions(**asked, compare="previous_period"), BEGIN + timedelta(hours=hours))
        assert [(row["value"], row["sessions"], row["sessions_previous"], row["complete"]) for row in rows] == [
            ("DE", 0, 1, complete)
        ]


@pytest.mark.parametrize(
    "question",
    [
        EventConversion(grain="all", compare="previous_year"),
        EventSessions(grain="all", compare="previous_period"),
        EventFunnel(step=["A", "B"], compare="previous_period", start="2024-01-01"),
    ],
)
def test_a_range_without_ends_has_none_before_it(table, question):
    with pytest.raises(InvalidParameterError, match="compare: needs from and to"):
        table.ask(question)
