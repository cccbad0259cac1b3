"""Returns beside an earlier time, against plain Python; which questions compare nothing; currencies of both times."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
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
from tests.web import Web, web_of


@pytest.fixture(scope="module")
def sold() -> list[Sold]:
    return sold_lines()


@pytest.fixture(scope="module")
def web(tmp_path_factory, sold) -> Web:
    return web_with(tmp_path_factory.mktemp("compared"), sold)


def returned(lines: list[Sold]) -> dict[str, Any]:
    units = sum(one.quantity for one in lines if one.quantity > 0)
    back = -sum(one.quantity for one in lines if one.quantity < 0)
    gross = sum((one.amount for one in lines if one.quantity > 0), ZERO)
    returns = sum((one.amount for one in lines if one.quantity < 0), ZERO)
    return {
        "orders": sum(one.quantity > 0 for one in lines),
        "units": units,
        "returned_units": back,
        "gross_sales": f"{gross:.4f}",
        "returns": f"{returns:.4f}",
        "return_rate": ratio(back, units),
        "returned_share": ratio(-returns, gross),
    }


def check_returns(row: dict[str, Any], now: list[Sold], before: list[Sold] | None) -> None:
    expected = returned(now)
    assert {name: row[name] for name in expected} == expected
    earlier = returned(before or [])
    if before is None:
        earlier = dict.fromkeys(earlier)
    assert {name: row[f"{name}_previous"] for name in earlier} == earlier
    check_changes(row)


@pytest.mark.parametrize(("compare", "start", "end", "was_start", "was_end"), ranges())
def test_returns_are_beside_those_of_the_earlier_range(web, sold, compare, start, end, was_start, was_end):
    now, before = between(sold, start, end), between(sold, was_start, was_end)
    empty = was_start == was_end
    whole = web.rows("sales/returns", **asked_for(compare, start, end))
    check_returns(whole[0], now, None if empty else before)
    rows = web.rows("sales/returns", **asked_for(compare, start, end, dimension="country"))
    assert {row["value"] or "" for row in rows} == {one.country for one in (*now, *before)}
    for row in rows:
        mine = [[one for one in found if one.country == (row["value"] or "")] for found in (now, before)]
        check_returns(row, mine[0], None if empty else mine[1])
    assert rows == sorted(rows, key=lambda row: (Decimal(row["returns"]), row["value"] is None, row["value"]))


def test_what_was_sold_only_before_has_a_row_too(web, sold):
    asked = asked_for("previous_year", day("2024-02-01"), day("2024-04-15"), dimension="country")
    gone = next(row for row in web.rows("sales/returns", **asked) if row["value"] == "ZA")
    assert (gone["orders"], gone["return_rate"], gone["orders_change"]) == (0, None, "-1.000000")


@pytest.mark.parametrize(("grain", "compare"), list(STEPS))
@pytest.mark.parametrize(("start", "end"), RANGES)
def test_returns_of_a_period_are_beside_those_of_the_earlier_period(web, sold, grain, compare, start, end):
    first, last = day(start), day(end)
    now, before = defaultdict(list), defaultdict(list)
    for one in between(sold, first, last):
        now[period_of(one.at, grain), one.country].append(one)
    for one in sold:
        if first <= (moved := STEPS[grain, compare](one.at)) < last:
            before[period_of(moved, grain), one.country].append(one)
    rows = web.rows("sales/returns", **asked_for(compare, first, last, grain=grain, dimension="country"))
    assert {(row["period"], row["value"] or "") for row in rows} == {*now, *before}
    for row in rows:
        cell = (row["period"], row["value"] or "")
        nothing = None if never_was(grain, compare, first, last, cell[0]) else []
        check_returns(row, now[cell], before[cell] or nothing)


def test_what_lies_after_the_data_is_no_period(web, sold):
    newest = max(one.at for one in sold)
    rows = web.rows("sales/returns", grain="day", compare="previous_period", timezone="Europe/Berlin")
    assert rows[-1]["period"] == f"{newest:%Y-%m-%d}"
    assert sum(row["orders_previous"] for row in rows) == sum(
        one.quantity > 0 for one in sold if one.at.date() < newest.date()
    )


@pytest.mark.parametrize(
    "path",
    [
        "sales/returns",
        "customers/repeat-rate",
        "customers/top",
        "products/performance",
        "sales/returns?dimension=country",
    ],
)
def test_a_range_without_ends_has_none_before_it(web, path):
    address = f"/v1/{path}{'&' if '?' in path else '?'}compare=previous_year&from=2024-01-01"
    assert "compare: needs from and to" in web.client.get(address).json()["detail"]


@pytest.mark.parametrize(
    "question",
    [
        "customers/cohorts",
        "customers/rfm",
        "customers/detail?customer=a",
        "products/detail?product=p",
        "products/affinity",
        "products/recommendations?type=popular",
        "quality",
    ],
)
def test_what_is_not_of_one_range_compares_nothing(web, question):
    address = f"/v1/{question}{'&' if '?' in question else '?'}compare=previous_year"
    answer = web.client.get(address)
    assert code_of(answer) == (422, "invalid_parameter")
    assert "compare" in answer.json()["detail"]


def test_currencies_of_both_ranges_are_never_mixed(tmp_path):
    web = web_of(tmp_path)
    rows = "1,2024-01-10,a,5,EUR\n2,2024-02-10,a,-7,USD\n3,2024-02-10,a,7,USD\n"
    web.shop.upload("orders", "o.csv", f"order_id,ordered_at,customer_id,total,currency\n{rows}")
    web.shop.upload("order_items", "i.csv", "order_id,product_id,quantity,unit_price\n1,p,1,5\n3,p,1,7\n")
    asked = {"from": "2024-02-01", "to": "2024-02-20", "compare": "previous_period"}
    month = {**asked, "from": "2024-02-01", "to": "2024-03-01"}
    for question, given in (
        ("sales/returns", month), ("sales/returns", {**month, "grain": "month"}), ("sales/new-vs-returning", month),
        ("customers/top", month), ("customers/segments", month), ("products/performance", month),
        ("sales/breakdown", {**month, "rows": "country", "columns": "month"}),
    ):  # fmt: skip
        answer = web.client.get(f"/v1/{question}", params=given)
        assert code_of(answer) == (400, "mixed_currencies"), question
        assert web.client.get(f"/v1/{question}", params={**given, "currency": "USD"}).status_code == 200
    # The repeat rate counts orders of any currency.
    assert web.rows("customers/repeat-rate", **month)[0]["customers_previous"] == 1
