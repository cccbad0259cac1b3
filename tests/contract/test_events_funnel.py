"""Funnels: worked by hand for every order of steps, published cases, and any events against plain Python."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets.questions.events_funnel import EventFunnel
from shared.errors import InvalidParameterError
from tests.event_answers import a_funnel, an_event_of_a_way, expected_rows
from tests.event_table import BEGIN, EventTable, way
from tests.web import Web, web_of


@pytest.fixture(scope="module")
def table() -> EventTable:
    return EventTable()


def reached(table: EventTable, events: list[dict[str, Any]], steps: str, **asked: Any) -> list[int]:
    """How many got to each step."""
    table.fill(events)
    return [row["entities"] for row in table.ask(EventFunnel(step=list(steps), **asked))]


@pytest.mark.parametrize(
    ("names", "steps", "ordered", "strict", "any_order"),
    [
        ("ABC", "ABC", 3, 3, 3),
        ("ABAC", "ABC", 3, 2, 3),  # a repetition does not begin the way anew
        ("ABDC", "ABC", 3, 2, 3),  # another event in between
        ("AADBC", "ABC", 3, 1, 3),
        ("ACB", "ABC", 2, 1, 3),
        ("BCA", "ABC", 1, 1, 3),
        ("BC", "ABC", 0, 0, 0),  # the longest prefix: without step 1 there is none
        ("AC", "ABC", 1, 1, 1),
        ("DDD", "ABC", 0, 0, 0),
        ("ABACABC", "ABC", 3, 3, 3),  # the best attempt counts
        ("ABAC", "ABAC", 4, 4, 4),  # a step given twice
        ("ABC", "ABAC", 2, 2, 2),  # needs two events
        ("AABC", "ABAC", 2, 2, 4),
        ("A", "AA", 1, 1, 1),
        ("AA", "AA", 2, 2, 2),
        ("AAA", "AAA", 3, 3, 3),
    ],
)
def test_ways_worked_by_hand(table, names, steps, ordered, strict, any_order):
    for order, expected in (("ordered", ordered), ("strict", strict), ("any", any_order)):
        counts = reached(table, way(names), steps, order=order)
        assert counts == [1] * expected + [0] * (len(steps) - expected), order


WAYS = {"1": "abc", "2": "adbc", "3": "aabbcc", "4": "aaaabbcc", "5": "aabbdcc", "6": "ccbbaa"}


@pytest.mark.parametrize(
    ("order", "levels"),
    [
        ("ordered", {"1": 3, "2": 3, "3": 3, "4": 3, "5": 3, "6": 1}),
        ("strict", {"1": 3, "2": 1, "3": 2, "4": 2, "5": 2, "6": 1}),
    ],
)
def test_levels_are_those_that_another_engine_publishes(table, order, levels):
    """The cases and results of ClickHouse's own test of windowFunnel (00632): no mode, and `strict_order`."""
    for user, level in levels.items():
        assert sum(reached(table, way(WAYS[user], user), "abc", order=order)) == level, user


@pytest.mark.parametrize(("minutes", "level"), [(2, 3), (3, 4), (4, 5)])
def test_the_end_of_the_window_is_inside_it(table, minutes, level):
    """The same source: levels of five events, one a second, in windows of 2, 3 and 4 seconds."""
    events = way("0123456789")
    for order in ("ordered", "strict", "any"):
        assert sum(reached(table, events, "34567", order=order, window=f"{minutes}m")) == level


def test_times_are_those_of_the_attempt_that_got_there_first_and_began_last(table):
    # From 2 or 3 on, B is reached at 5 first, and 3 began last; C after another B.
    events = [
        {"event_name": name, "customer_id": "a", "at": at}
        for name, at in (("A", 0), ("A", 2), ("A", 3), ("B", 5), ("B", 6), ("C", 10), ("A", 20), ("B", 21), ("C", 22))
    ]
    table.fill(events)
    rows = table.ask(EventFunnel(step=["A", "B", "C"]))
    assert [row["median_step_seconds"] for row in rows] == [None, Decimal(120), Decimal(300)]
    assert [row["median_total_seconds"] for row in rows] == [None, Decimal(120), Decimal(420)]


def test_a_later_attempt_counts_where_the_first_one_runs_out_of_time(table):
    events = [
        {"event_name": name, "customer_id": "a", "at": at}
        for name, at in (("A", 0), ("B", 1), ("A", 50), ("B", 55), ("C", 60))
    ]
    assert reached(table, events, "ABC", window="30m") == [1, 1, 1]
    assert reached(table, events[:2] + events[4:], "ABC", window="30m") == [1, 1, 0]


def test_an_attempt_begins_in_the_range_and_may_end_after_it(table):
    events = way("AB", minutes=10)
    late, early = {"end": "2024-03-01T00:05Z"}, {"start": "2024-03-01T00:05Z"}
    assert reached(table, events, "AB", **late) == [1, 1]
    assert reached(table, events, "AB", **late, window="9m") == [1, 0]
    assert reached(table, events, "AB", **early) == [0, 0]
    assert reached(table, events, "AB", **early, order="any") == [0, 0]


def test_medians_and_rates_worked_by_hand(table):
    events = [*way("AB", "a", 1), *way("AB", "b", 2), *way("AxxB", "c", 2), *way("AB", "d", 9), *way("A", "e")]
    table.fill(events)
    first, second = table.ask(EventFunnel(step=["A", "B"]))
    assert (first["entities"], first["step_rate"], first["total_rate"]) == (5, None, 1)
    assert (second["entities"], second["step_rate"], second["total_rate"]) == (4, Decimal("0.8"), Decimal("0.8"))
    # 60, 120, 360 and 540 seconds.
    assert second["median_step_seconds"] == second["median_total_seconds"] == 240


def test_a_dimension_is_that_of_the_first_event_of_the_best_attempt(table):
    events = [
        {"event_name": "A", "customer_id": "a", "at": 0, "device": "phone"},
        {"event_name": "A", "customer_id": "a", "at": 100, "device": "desk"},
        {"event_name": "B", "customer_id": "a", "at": 101, "device": "phone"},
        {"event_name": "A", "customer_id": "b", "at": 0, "device": None},
    ]
    table.fill(events)
    rows = table.ask(EventFunnel(step=["A", "B"], window="10m", dimension="device"))
    assert [(row["value"], row["step"], row["entities"]) for row in rows] == [
        ("desk", 1, 1), ("desk", 2, 1), (None, 1, 1), (None, 2, 0),
    ]  # fmt: skip


def test_sessions_are_told_apart_and_events_of_nobody_left_out(table):
    events = [
        {"event_name": "A", "customer_id": "a", "session_id": "1", "at": 0},
        {"event_name": "B", "customer_id": "a", "session_id": "2", "at": 1},
        {"event_name": "A", "session_id": "3", "at": 0},
        {"event_name": "B", "session_id": "3", "at": 1},
        {"event_name": "A", "at": 0},
        {"event_name": "B", "at": 1},
    ]
    assert reached(table, events, "AB") == [1, 1]
    assert reached(table, events, "AB", entity="session") == [2, 1]


def test_a_step_may_look_at_columns_and_properties(table):
    pages = [("/home", "free"), ("/cart", "a/b ~1"), ("/pay", None)]
    events = [
        {
            "event_name": "page",
            "customer_id": "a",
            "at": at,
            "url": url,
            "properties": None if plan is None else f'{{"plan": "{plan}", "a/b~c": 7}}',
        }
        for at, (url, plan) in enumerate(pages)
    ]
    table.fill(events)
    for steps, expected in (
        (["page?url=/home", "page?url=/cart", "page?url=/pay"], 3),
        (["page?url=/cart", "page?url=/home"], 1),
        (["page?properties.plan=free&url=/home", "page?properties.plan=a/b+~1"], 2),
        (["page?properties.plan=free&url=/cart", "page"], 0),
        (["page?properties.a/b~c=7", "page?properties.a/b~c=8"], 1),
        (["page?url=/home", "page", "page", "page"], 3),
        (["pa%67e", "page"], 2),
    ):
        assert sum(row["entities"] for row in table.ask(EventFunnel(step=steps))) == expected, steps


@pytest.mark.parametrize(
    "asked",
    [
        {"step": ["A", "B"], "window": "0d"},
        {"step": ["A", "B"], "window": "367d"},
        {"step": ["A", "B"], "window": "99999999d"},
        {"step": ["A", "B"], "window": "soon"},
        {"step": ["A", ""]},
        {"step": ["A", "B?event_id=3"]},
        {"step": ["A", "B?properties.=3"]},
        {"step": ["A", "B?url"]},
        {"step": ["A", "B?" + "&".join(["url=/"] * 6)]},
        {"step": ["A", "B"], "start": "2024-01-02", "end": "2024-01-02"},
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(table, asked):
    table.fill([])
    with pytest.raises(InvalidParameterError, match=r"(window|step|to): "):
        table.ask(EventFunnel(**asked))


@settings(max_examples=150, deadline=None)
@given(st.lists(an_event_of_a_way, min_size=4, max_size=25), a_funnel)
def test_any_events_give_what_looking_at_every_attempt_gives(table, events, asked):
    table.fill(events)
    given = {name: (BEGIN + timedelta(minutes=asked[name])).isoformat() for name in ("from", "to")}
    given["window"] = f"{asked['window']}m"
    for order in ("ordered", "strict", "any"):
        rows = table.ask(EventFunnel(**{**asked, **given, "order": order}))
        got = {
            (row["value"], row["step"]): (row["entities"], row["median_step_seconds"], row["median_total_seconds"])
            for row in rows
        }
        assert got == expected_rows(events, {**asked, "order": order}), order
        _check_rates(rows)


def _check_rates(rows: list[dict[str, Any]]) -> None:
    for before, row in pairwise([None, *rows]):
        if row["step"] == 1:
            begun = row["entities"]
            assert row["step_rate"] is None
        else:
            assert before is not None
            assert _near(row["step_rate"], row["entities"], before["entities"])
        assert _near(row["total_rate"], row["entities"], begun)


def _near(rate: Decimal | None, part: int, whole: int) -> bool:
    if rate is None or not whole:
        return rate is None and not whole
    return abs(rate - Decimal(part) / whole) <= Decimal("0.0000005")


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("funnels"))
    lines = ["event_id,event,time,user_id,url"]
    ways = (("ann", 0, "view"), ("ann", 5, "cart"), ("ann", 10, "view"), ("ann", 20, "buy"), ("bob", 0, "view"))
    for number, (customer, minute, name) in enumerate([*ways, ("bob", 30, "buy")]):
        lines.append(f"{number},{name},2024-03-01T09:{minute:02}:00Z,{customer},/{name}?a=1")
    web.shop.upload("events", "e.csv", "\n".join(lines) + "\n")
    return web


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        ({"window": "1h"}, [2, 1, 1]),
        ({"window": "1h", "order": "strict"}, [2, 1, 0]),
        ({"window": "15m"}, [2, 1, 0]),
        ({"window": "1h", "from": "2024-03-01T10:00", "timezone": "Europe/Berlin"}, [2, 1, 1]),
        ({"window": "1h", "from": "2024-03-01T10:01", "timezone": "Europe/Berlin"}, [1, 0, 0]),
        ({"window": "1h", "to": "2024-03-01"}, [0, 0, 0]),
    ],
)
def test_the_example_of_the_definition_over_http(web, asked, counts):
    rows = web.rows("events/funnel", step=["view", "cart", "buy"], **asked)
    assert [row["entities"] for row in rows] == counts
    if asked == {"window": "1h"}:
        assert [row["median_total_seconds"] for row in rows] == [None, "300.000", "1200.000"]


def test_a_step_with_a_condition_over_http(web):
    rows = web.rows("events/funnel", step=["view", "buy?url=/buy%3Fa%3D1"])
    assert [(row["event"], row["entities"]) for row in rows] == [("view", 2), ("buy?url=/buy%3Fa%3D1", 2)]


@pytest.mark.parametrize("steps", [[], ["a"], ["a"] * 11])
def test_the_number_of_steps_is_bounded(web, steps):
    answer = web.client.get("/v1/events/funnel", params={"step": steps})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
