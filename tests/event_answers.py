"""Events at random, and in plain Python what questions about them should answer."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.event_table import BEGIN

DAY = 24 * 60
COUNTED = ("sessions", "events", "bounces", "converted")
Group = tuple[str | None, str | None]

an_event = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(["view", "view", "purchase", "other"]),
        "at": st.one_of(st.integers(0, 40), st.integers(0, 200)).map(lambda place: place * 29),
        "customer_id": st.sampled_from(["a", "a", "b", None]),
        "session_id": st.sampled_from([None, None, None, "s", "t"]),
        "country": st.sampled_from(["DE", "FR", None]),
    }
)
a_range = st.fixed_dictionaries(
    {
        "from": st.sampled_from([None, 0, 29 * 30, 1500]),
        "to": st.sampled_from([None, 1501, 2900, 4000]),
        "dimension": st.sampled_from([None, "country"]),
        "timezone": st.sampled_from(["UTC", "Asia/Kathmandu"]),
        "grain": st.sampled_from(["day", "week", "all"]),
    }
)


def asked_by(ranges: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a question."""
    given = {name: ranges[name] for name in ("dimension", "timezone", "grain")}
    for name in ("from", "to"):
        if ranges[name] is not None:
            given[name] = (BEGIN + timedelta(minutes=ranges[name])).isoformat()
    return given


def period_of(at: int, ranges: dict[str, Any]) -> str | None:
    """The period that a minute is in."""
    if ranges["grain"] == "all":
        return None
    day: date = (BEGIN + timedelta(minutes=at)).astimezone(ZoneInfo(ranges["timezone"])).date()
    return (day - timedelta(days=day.weekday() if ranges["grain"] == "week" else 0)).isoformat()


def inside(at: int, ranges: dict[str, Any]) -> bool:
    """Whether a minute is in the range."""
    return (ranges["from"] or 0) <= at and (ranges["to"] is None or at < ranges["to"])


def conversions(
    events: list[dict[str, Any]], ranges: dict[str, Any], minutes: int, first: str | None, later: int = 0
) -> dict[Group, tuple[int, int]]:
    """Who tried and who was converted by period and value; a try counts as so many minutes ``later``."""
    tried: dict[Group, set[str]] = defaultdict(set)
    converted: dict[Group, set[str]] = defaultdict(set)
    for place, one in enumerate(events):
        customer, at = one["customer_id"], one["at"] + later
        if customer is None or not inside(at, ranges) or one["event_name"] != (first or one["event_name"]):
            continue
        group = (period_of(at, ranges), one["country"] if ranges["dimension"] else None)
        tried[group].add(customer)
        goals = [
            other
            for number, other in enumerate(events)
            if other["customer_id"] == customer
            and other["event_name"] == "purchase"
            and one["at"] <= other["at"] <= one["at"] + minutes
            # Without `first`, of two goals of one instant each is its own goal.
            and (first is None or number != place)
        ]
        if goals:
            converted[group].add(customer)
    return {group: (len(who), len(converted[group])) for group, who in tried.items()}


def sessions(
    events: list[dict[str, Any]], ranges: dict[str, Any], gap: int, later: int = 0
) -> dict[Group, dict[str, Any]]:
    """What sessions come to by period and value; they count as so many minutes ``later``."""
    by_key = defaultdict(list)
    for one in events:
        if one["session_id"] or one["customer_id"]:
            by_key[one["session_id"], None if one["session_id"] else one["customer_id"]].append(one)
    groups: dict[Group, list[list[dict[str, Any]]]] = defaultdict(list)
    for (session_id, _), of_key in by_key.items():
        of_key.sort(key=lambda one: (one["at"], one["country"] is None, one["country"] or ""))
        pause = DAY if session_id else gap
        cuts = [
            0,
            *(n for n, (one, two) in enumerate(pairwise(of_key), 1) if two["at"] - one["at"] > pause),
            len(of_key),
        ]
        for begin, end in pairwise(cuts):
            session = [one for one in of_key[begin:end] if one["at"] <= of_key[begin]["at"] + DAY]
            at = session[0]["at"] + later
            if inside(at, ranges):
                groups[period_of(at, ranges), session[0]["country"] if ranges["dimension"] else None].append(session)
    return {group: _of_sessions(found) for group, found in groups.items()}


def _of_sessions(found: list[list[dict[str, Any]]]) -> dict[str, Any]:
    lengths = [60 * (session[-1]["at"] - session[0]["at"]) for session in found]
    return {
        "sessions": len(found),
        "events": sum(map(len, found)),
        "bounces": sum(len(session) == 1 for session in found),
        "converted": sum(any(one["event_name"] == "purchase" for one in session) for session in found),
        "median": median(lengths),
        "mean": Decimal(sum(lengths)) / len(lengths),
    }


# An event of one entity: minute, one bit per step that it is, and its value of the dimension.
Marked = tuple[int, int, str | None]


def _times_in_order(events: list[Any], begin: int, steps: int, strict: bool, until: int) -> list[int]:
    times, place = [events[begin][0]], begin
    for step in range(1, steps):
        later = range(place + 1, min(place + 2, len(events)) if strict else len(events))
        found = next((one for one in later if events[one][1] >> step & 1), None)
        if found is None or events[found][0] > until:
            break
        place = found
        times.append(events[found][0])
    return times


def _any_times(events: list[Any], steps: list[str], until: int) -> list[int]:
    times: list[int] = []
    if not events[0][1]:
        return times
    for number, step in enumerate(steps):
        fitting = [at for at, mask, _ in events if mask >> number & 1]
        given_before = steps[:number].count(step)
        if len(fitting) <= given_before or fitting[given_before] > until:
            break
        times.append(max([*times[-1:], fitting[given_before]]))
    return times


def _best(events: list[Marked], steps: list[str], asked: dict[str, Any]) -> tuple[list[int], str | None]:
    """The times of the best attempt from its beginning, and its first value; every event may begin one."""
    found = []
    for begin, (at, mask, value) in enumerate(events):
        if not mask or not asked["from"] <= at < asked["to"]:
            continue
        times: list[int] = []
        if asked["order"] == "any":
            times = _any_times(events[begin:], steps, at + asked["window"])
        elif mask & 1:
            times = _times_in_order(events, begin, len(steps), asked["order"] == "strict", at + asked["window"])
        if times:
            found.append(((-len(times), times[-1], -begin), [time - at for time in times], value))
    return min(found)[1:] if found else ([], None)


def expected_rows(events: list[dict[str, Any]], asked: dict[str, Any]) -> dict[tuple[Any, int], tuple[Any, ...]]:
    """Entities and medians in seconds by value and step, counted one entity after the other."""
    steps, by_entity = asked["step"], defaultdict(list)
    for event in events:
        mask = 0
        for place, step in enumerate(steps):
            name, _, country = step.partition("?country=")
            mask |= (event["event_name"] == name and country in ("", event["country"])) << place
        entity = event["customer_id" if asked["entity"] == "customer" else "session_id"]
        if entity is not None and (mask or asked["order"] == "strict"):
            by_entity[entity].append((event["at"], mask, event["country"] if asked["dimension"] else None))
    found: dict[Any, list[list[int]]] = defaultdict(list)
    for of_entity in by_entity.values():
        inside = sorted(of_entity, key=lambda e: (e[0], e[1] & -e[1] or 1024, e[1], e[2] is None, e[2] or ""))
        times, value = _best(inside, steps, asked)
        if times:
            found[value].append(times)
    if asked["dimension"] is None and not found:
        found[None] = []
    rows = {}
    for value, ways in found.items():
        for step in range(len(steps)):
            there = [times for times in ways if len(times) > step]
            since = [60 * (times[step] - times[step - 1]) for times in there]
            timed = step and there
            total = median(60 * times[step] for times in there) if timed else None
            rows[value, step + 1] = (len(there), median(since) if timed else None, total)
    return rows


an_event_of_a_way = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from("AABBCX"),
        "at": st.integers(0, 30),
        "customer_id": st.sampled_from(["a", "a", "a", "b", None]),
        "session_id": st.sampled_from(["s", "s", "t", None]),
        "country": st.sampled_from(["DE", "FR", None]),
    }
)
a_funnel = st.fixed_dictionaries(
    {
        "step": st.lists(st.sampled_from(["A", "B", "C", "A?country=DE"]), min_size=2, max_size=5),
        "entity": st.sampled_from(["customer", "session"]),
        "dimension": st.sampled_from([None, "country"]),
        "window": st.integers(3, 25),
        "from": st.integers(0, 10),
        "to": st.integers(15, 40),
    }
)
