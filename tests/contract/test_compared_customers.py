"""New customers, repeat rate, top customers and segments beside an earlier time, against plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import mean, median
from typing import Any

import pytest

from tests.api_shop import code_of
from tests.compared_shop import (
    RANGES,
    STEPS,
    ZERO,
    Sold,
    asked_for,
    between,
    check_changes,
    day,
    never_was,
    period_of,
    ranges,
    ratio,
    sold_lines,
    web_with,
)
from tests.web import Web


@pytest.fixture(scope="module")
def sold() -> list[Sold]:
    return sold_lines()


@pytest.fixture(scope="module")
def web(tmp_path_factory, sold) -> Web:
    return web_with(tmp_path_factory.mktemp("compared"), sold)


def new_and_returning(sold: list[Sold], until: datetime, of: list[Sold], period: Callable[[datetime], str], rule: str):
    """By period: new and returning customers, their orders and net sales, and those of guests."""
    firsts: dict[str, datetime] = {}
    for one in sold:
        if one.quantity > 0 and one.at < until:
            firsts[one.customer] = min(one.at, firsts.get(one.customer, one.at))
    found: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(list))
    for one in of:
        first, where = firsts.get(one.customer), period(one.at)
        is_new = first is not None and (period(first) == where if rule == "customer" else first == one.at)
        found[where]["guest" if not one.customer else "new" if is_new else "returning"].append(one)
    return {
        where: {
            **{f"{who}_customers": len({one.customer for one in groups[who] if one.quantity > 0})
               for who in ("new", "returning")},
            **{f"{who}_orders": sum(one.quantity > 0 for one in groups[who]) for who in ("new", "returning", "guest")},
            **{f"{who}_net_sales": f"{sum((one.amount for one in groups[who]), ZERO):.4f}"
               for who in ("new", "returning", "guest")},
        }
        for where, groups in found.items()
    }  # fmt: skip


@pytest.mark.parametrize("rule", ["customer", "order"])
@pytest.mark.parametrize(("grain", "compare"), list(STEPS))
@pytest.mark.parametrize(("start", "end"), RANGES)
def test_new_customers_of_a_period_are_beside_those_of_the_earlier_one(web, sold, rule, grain, compare, start, end):
    first, last = day(start), day(end)
    step = STEPS[grain, compare]
    moved = [one for one in sold if first <= step(one.at) < last]
    until = max((one.at for one in moved), default=first) + timedelta(microseconds=1)
    # What comes after the earlier range is not looked at; what lies between its last order and its end is no order.
    was = new_and_returning(sold, until, moved, lambda at: period_of(step(at), grain), rule)
    now = new_and_returning(sold, last, between(sold, first, last), lambda at: period_of(at, grain), rule)
    rows = web.rows("sales/new-vs-returning", **asked_for(compare, first, last, grain=grain, rule=rule))
    assert {row["period"] for row in rows} >= {*now, *was}
    nothing = new_and_returning([], last, [Sold(first, "", "", 1, ZERO)], lambda at: "", rule)[""] | {"guest_orders": 0}
    for row in rows:
        expected, earlier = now.get(row["period"], nothing), was.get(row["period"], nothing)
        if never_was(grain, compare, first, last, row["period"]):
            earlier = dict.fromkeys(earlier)
        assert {name: row[name] for name in expected} == expected, row["period"]
        assert {name: row[f"{name}_previous"] for name in earlier} == earlier, row["period"]
        if earlier["new_orders"] is not None:
            who = earlier["new_customers"] + earlier["returning_customers"]
            assert row["returning_rate_previous"] == ratio(earlier["returning_customers"], who)
        check_changes(row)


def times_of(sold: list[Sold]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    for one in sorted(sold, key=lambda one: one.at):
        if one.customer and one.quantity > 0:
            found[one.customer].append(one.at)
    return found


def repeated(times: dict[str, list[datetime]], number: int | None) -> tuple[int, int, float | None, float | None]:
    gaps = [
        (one[n] - one[n - 1]).total_seconds() / 86_400
        for one in ([at.astimezone(UTC) for at in found] for found in times.values())
        for n in range(1, len(one))
        if number in (None, n)
    ]
    least = number or 1
    return (
        sum(len(one) >= least for one in times.values()),
        sum(len(one) > least for one in times.values()),
        round(mean(gaps), 4) if gaps else None,
        round(median(gaps), 4) if gaps else None,
    )


@pytest.mark.parametrize(("compare", "start", "end", "was_start", "was_end"), ranges())
def test_the_repeat_rate_is_beside_that_of_the_earlier_range(web, sold, compare, start, end, was_start, was_end):
    now, before = times_of(between(sold, start, end)), times_of(between(sold, was_start, was_end))
    rows = web.rows("customers/repeat-rate", **asked_for(compare, start, end, up_to=1_000))
    most = max(len(one) for one in (*now.values(), *before.values(), []))
    assert [row["order_number"] for row in rows] == [None, *range(1, most + 1)]
    for row in rows:
        for suffix, times in (("", now), ("_previous", before)):
            customers, repeat, in_mean, in_middle = repeated(times, row["order_number"])
            if suffix and was_start == was_end:
                # The row of all together is there of any range, also of none.
                assert row["customers_previous"] == (0 if row["order_number"] is None else None)
                continue
            assert (row[f"customers{suffix}"], row[f"repeat_customers{suffix}"]) == (customers, repeat)
            assert row[f"repeat_rate{suffix}"] == ratio(repeat, customers)
            for name, days in (("mean", in_mean), ("median", in_middle)):
                told = row[f"{name}_days_between{suffix}"]
                assert (told is None) == (days is None)
                assert days is None or abs(float(told) - days) <= 0.000_11
        check_changes(row)


@pytest.mark.parametrize(("compare", "start", "end", "was_start", "was_end"), ranges())
def test_top_customers_are_beside_themselves(web, sold, compare, start, end, was_start, was_end):
    def bought(lines: list[Sold]) -> dict[str, dict[str, Any]]:
        by_customer = defaultdict(list)
        for one in lines:
            by_customer[one.customer].append(one)
        return {
            customer: {
                "gross_sales": f"{sum((one.amount for one in of if one.quantity > 0), ZERO):.4f}",
                "returns": f"{sum((one.amount for one in of if one.quantity < 0), ZERO):.4f}",
                "net_sales": f"{sum((one.amount for one in of), ZERO):.4f}",
                "orders": sum(one.quantity > 0 for one in of),
                "units": sum(one.quantity for one in of if one.quantity > 0),
            }
            for customer, of in by_customer.items()
            if customer and any(one.quantity > 0 for one in of)
        }

    now, before = bought(between(sold, start, end)), bought(between(sold, was_start, was_end))
    rows = web.rows("customers/top", **asked_for(compare, start, end))
    assert [row["customer_id"] for row in rows] == sorted(now, key=lambda one: (-Decimal(now[one]["net_sales"]), one))
    amounts = ("gross_sales", "returns", "net_sales")
    nothing = {"orders": 0, "units": 0, **dict.fromkeys(amounts, "0.0000")}
    for row in rows:
        earlier = before.get(row["customer_id"], nothing if was_start < was_end else dict.fromkeys(nothing))
        assert {name: row[name] for name in nothing} == now[row["customer_id"]]
        assert {name: row[f"{name}_previous"] for name in nothing} == earlier
        check_changes(row)


@pytest.mark.parametrize(("compare", "start", "end", "was_start", "was_end"), ranges())
def test_segments_are_beside_those_of_the_earlier_range(web, sold, compare, start, end, was_start, was_end):
    """Of fixed bins: often is five orders or more, late no order for 30 days."""

    def segments(lines: list[Sold], until: datetime) -> dict[str, list[list[Sold]]]:
        by_customer = defaultdict(list)
        for one in lines:
            by_customer[one.customer].append(one)
        found: dict[str, list[list[Sold]]] = {"Often": [], "Late": [], "Other": []}
        for customer, of in by_customer.items():
            ordered = [one for one in of if one.quantity > 0]
            if customer and ordered:
                # A point for each of 30, 90, 180 and 365 days that is not passed, for each of 2, 3, 5 and 10 reached.
                often = sum(len(ordered) >= least for least in (2, 3, 5, 10)) >= 3
                days = (until.date() - max(one.at for one in ordered).date()).days
                found["Often" if often else "Late" if days > 30 else "Other"].append(of)
        return found

    now, before = segments(between(sold, start, end), end), segments(between(sold, was_start, was_end), was_end)
    asked = {"bins": "fixed", "monetary": "1,2,3,4", "map": ["Often:f=4-5", "Late:r=1-4"]}
    rows = {row["segment"]: row for row in web.rows("customers/segments", **asked_for(compare, start, end, **asked))}
    assert [name for name in rows if name in now] == [name for name in now if name in rows]
    for name, row in rows.items():
        for suffix, found in (("", now), ("_previous", before)):
            if name in found and row[f"size{suffix}"] is not None:
                orders = sum(one.quantity > 0 for of in found[name] for one in of)
                net = sum((one.amount for of in found[name] for one in of), ZERO)
                assert (row[f"size{suffix}"], row[f"orders{suffix}"]) == (len(found[name]), orders)
                assert row[f"net_sales{suffix}"] == f"{net:.4f}"
                assert row[f"orders_per_customer{suffix}"] == ratio(orders, len(found[name]), 4)
        check_changes(row)
    assert {name for name in now if now[name] or before[name]} <= rows.keys()


def test_segments_need_no_beginning_for_a_year_before_and_a_length_for_a_period_before(web):
    assert web.rows("customers/segments", compare="previous_year")
    answer = web.client.get("/v1/customers/segments?compare=previous_period")
    assert code_of(answer) == (422, "invalid_parameter")
    by_days = web.rows("customers/segments", compare="previous_period", window_days=60, to="2024-04-01")
    by_range = {"from": "2024-02-01", "to": "2024-04-01"}  # 60 days
    assert web.rows("customers/segments", compare="previous_period", **by_range) == by_days
