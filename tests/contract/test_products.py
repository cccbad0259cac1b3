"""Product performance on small shops worked out by hand, and on a random one against sums in plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.web import Web, web_of

ZERO = Decimal(0)
COSTS = {"p1": "3.50", "p2": "", "p3": "1.25", "p4": "9.99", "f1": "0.10"}
CATEGORIES = {"p1": "toys", "p2": "toys", "p3": "garden", "p4": "", "f1": ""}
START, BORDER, END = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))  # 31 and 29 days


def shop(folder: Path, sales: dict[str, str]) -> Web:
    """One order per product, of one piece at this price; a negative one is a return."""
    web = web_of(folder)
    web.shop.upload("orders", "o.csv", csv([{"order_id": f"o-{name}", "ordered_at": "2024-01-01"} for name in sales]))
    lines = [
        {
            "order_id": f"o-{name}",
            "product_id": name,
            "quantity": -1 if price.startswith("-") else 1,
            "unit_price": price.lstrip("-"),
        }
        for name, price in sales.items()
    ]
    web.shop.upload("order_items", "i.csv", csv(lines))
    web.fresh()
    return web


def classes(web: Web, **parameters: Any) -> dict[str, str | None]:
    """The class of each product, in the order of the answer."""
    return {row["product_id"]: row["abc"] for row in web.rows("products/performance", **parameters)}


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        # The second reaches 80 % exactly and the third 95 %: before the third there are not less than 80 % any more.
        ({"a": "50", "b": "30", "c": "15", "d": "5"}, {"a": "A", "b": "A", "c": "B", "d": "C"}),
        # The second lies before 80 % with 79 and crosses it: A. The fourth lies before 95 % with 94 and crosses it: B.
        (
            {"a": "79", "b": "8", "c": "7", "d": "3", "e": "3"},
            {"a": "A", "b": "A", "c": "B", "d": "B", "e": "C"},
        ),
        # One that is more than 80 % alone is A, and all that follow are B at best.
        ({"a": "99", "b": "0.5", "c": "0.5"}, {"a": "A", "b": "C", "c": "C"}),
        # Equal ones go by id; ten of 10 %: eight are A, the border of 95 % lies inside the tenth.
        ({f"p{n}": "10" for n in range(10)}, {f"p{n}": "A" if n < 8 else "B" for n in range(10)}),
        # What was given back is not part of the whole, and C.
        ({"a": "80", "b": "20", "c": "-40"}, {"a": "A", "b": "B", "c": "C"}),
        # In binary 0.8 x 3.0 is 2.4000000000000004, and 0.1 + 0.2 more than 0.3: amounts are compared exactly.
        ({"a": "2.1", "b": "0.3", "c": "0.6"}, {"a": "A", "c": "A", "b": "B"}),
        ({"a": "2.1", "b": "0.3", "c": "0.3", "d": "0.3"}, {"a": "A", "b": "A", "c": "B", "d": "B"}),
    ],
)
def test_the_product_that_crosses_the_border_still_belongs_above_it(tmp_path, sales, expected):
    assert list(classes(shop(tmp_path, sales)).items()) == list(expected.items())


def test_classes_can_be_cut_elsewhere_and_made_by_something_else(tmp_path):
    web = shop(tmp_path, {"a": "50", "b": "30", "c": "15", "d": "5"})
    assert classes(web, a_share="50", b_share="45") == {"a": "A", "b": "B", "c": "B", "d": "C"}
    assert classes(web, abc_by="units", sort="units") == dict.fromkeys("abcd", "A")  # 75 % lie before d
    assert classes(web, abc="B") == {"c": "B"}
    assert set(classes(web, abc_by="margin").values()) == {None}
    assert [row["cumulative_share"] for row in web.rows("products/performance")] == [
        "0.500000", "0.800000", "0.950000", "1.000000",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def random_shop(tmp_path_factory) -> tuple[Web, list[dict[str, Any]], list[dict[str, Any]]]:
    random, web = Random(11), web_of(tmp_path_factory.mktemp("random"))
    products = [
        {"product_id": name, "name": name.upper(), "category": CATEGORIES[name], "cost": cost, "currency": "EUR",
         "kind": "fee" if name == "f1" else "goods"}
        for name, cost in COSTS.items()
    ]  # fmt: skip
    web.shop.upload("products", "p.csv", csv(products))
    orders = [
        {
            "order_id": str(number),
            "ordered_at": START + timedelta(minutes=random.randrange(60 * 24 * 60)),
            "customer_id": random.choice(["", "ann", "bob", "cleo"]),
            "country": random.choice(["DE", "FR"]),
            "status": random.choice(["completed"] * 4 + ["cancelled"]),
            "currency": "EUR",
        }
        for number in range(150)
    ]
    lines = [
        {
            "order_id": order["order_id"],
            "product_id": random.choice(list(COSTS)),
            "quantity": random.choice([1, 2, 3, 5, -1, -2]),
            "unit_price": random.choice(["4.99", "12.50", "0", "20"]),
            "discount": random.choice(["0", "0", "0.5"]),
        }
        for order in orders
        for _ in range(random.randrange(1, 5))
    ]
    events = [
        {
            "event_id": str(number),
            "event_name": random.choice(["View", "view_item", "cart"]),
            "occurred_at": START + timedelta(minutes=random.randrange(60 * 24 * 60)),
            "product_id": random.choice([*COSTS, "seen", ""]),
            "country": random.choice(["DE", "FR"]),
        }
        for number in range(300)
    ]
    web.shop.upload("orders", "o.csv", csv(orders))
    web.shop.upload("order_items", "i.csv", csv(lines))
    web.shop.upload("events", "e.csv", csv(events))
    web.fresh()
    by_id = {order["order_id"]: order for order in orders}
    return web, [{**line, **by_id[line["order_id"]]} for line in lines], events


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"from": "2024-02-01", "to": "2024-03-01"},
        {"from": "2024-02-01", "to": "2024-03-01", "country": "DE", "category": "toys"},
        {"from": "2024-02-01", "to": "2024-03-01", "customers": "known", "kind": "all"},
        {"kind": "fee"},
    ],
    ids=str,
)
def test_every_number_is_the_sum_of_its_lines(random_shop, asked):
    web, lines, events = random_shop
    rows = {row["product_id"]: row for row in web.rows("products/performance", **asked)}
    expected = performance(lines, events, asked)
    assert rows.keys() == expected.keys()
    for name, row in rows.items():
        assert {key: row[key] for key in expected[name]} == expected[name], name


@pytest.mark.parametrize("filters", [{}, {"country": "DE", "category": "toys"}, {"customers": "known", "kind": "all"}])
def test_every_number_is_beside_that_of_the_range_before(random_shop, filters):
    web, lines, events = random_shop
    asked = {"from": "2024-02-01", "to": "2024-03-01", **filters}
    now = performance(lines, events, asked)
    # As long: 29 days, until 1 February.
    before = performance(lines, events, filters, (BORDER - (END - BORDER), BORDER))
    plain = web.rows("products/performance", **asked)
    rows = web.rows("products/performance", **asked, compare="previous_period")
    assert [{name: row[name] for name in plain[0]} for row in rows] == plain
    assert {row["product_id"] for row in rows} == now.keys()
    sums = ("gross_sales", "discounts", "returns", "net_sales", "units", "returned_units", "orders", "customers")
    for row in rows:
        earlier = before.get(row["product_id"])
        for name in (*sums, "margin", "margin_rate", "return_rate", "views", "views_to_buy"):
            nothing = None if name not in sums else "0.0000" if isinstance(row[name], str) else 0
            expected = earlier[name] if earlier else nothing
            assert row[f"{name}_previous"] == expected, (row["product_id"], name)
            change = row[f"{name}_change"]
            if row[name] is None or expected is None or Decimal(expected) == 0:
                assert change is None
            else:
                ratio_to = (Decimal(row[name]) - Decimal(expected)) / Decimal(expected)
                assert abs(Decimal(change) - ratio_to) <= Decimal("0.000001")
    # Classes are those of now, whatever they were.
    best = [row for row in rows if row["abc"] == "A"]
    assert web.rows("products/performance", **asked, compare="previous_period", abc="A") == best


@pytest.mark.parametrize("sort", ["returns", "return_rate", "trend", "margin", "views_to_buy", "customers"])
@pytest.mark.parametrize("descending", [True, False])
def test_rows_go_by_the_asked_column_with_compare_too(random_shop, sort, descending):
    asked = {"from": "2024-02-01", "to": "2024-03-01", "sort": sort, "descending": descending}
    plain, rows = (
        random_shop[0].rows("products/performance", **asked, **more) for more in ({}, {"compare": "previous_period"})
    )
    assert [row["product_id"] for row in rows] == [row["product_id"] for row in plain]


def test_the_trend_is_of_the_time_that_is_compared_with(random_shop):
    web = random_shop[0]
    asked = {"from": "2024-02-01", "to": "2024-03-01", "compare": "previous_year"}
    assert {(row["trend"], row["net_sales_previous"]) for row in web.rows("products/performance", **asked)} == {
        (None, "0.0000")
    }


@pytest.mark.parametrize("sort", ["returns", "return_rate", "trend", "margin", "views_to_buy", "customers"])
@pytest.mark.parametrize("descending", [True, False])
def test_rows_go_by_the_asked_column_and_unknown_ones_come_last(random_shop, sort, descending):
    web = random_shop[0]
    asked = {"from": "2024-02-01", "to": "2024-03-01", "sort": sort, "descending": descending}
    values = [row[sort] for row in web.rows("products/performance", **asked)]
    known = [Decimal(value) * (-1 if sort == "returns" else 1) for value in values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert values[len(known) :] == [None] * (len(values) - len(known))


def test_pages_hold_the_classes_of_the_whole(random_shop):
    web = random_shop[0]
    whole, rows, path = web.rows("products/performance"), [], "/v1/products/performance?limit=2"
    while path:
        body = web.client.get(path).json()
        rows += body["rows"]
        path = f"/v1/products/performance?limit=2&cursor={body['next']}" if body["next"] else ""
    assert rows == whole


def test_views_are_unknown_in_a_shop_without_events(tmp_path):
    row = shop(tmp_path, {"a": "10"}).rows("products/performance")[0]
    assert (row["views"], row["views_to_buy"], row["trend"], row["net_sales_previous"]) == (None, None, None, None)


def test_currencies_of_the_range_and_of_the_one_before_are_not_mixed(tmp_path):
    web = web_of(tmp_path)
    dates = {"2024-01-15": "USD", "2024-02-15": "EUR"}
    orders = [{"order_id": day, "ordered_at": day, "currency": code} for day, code in dates.items()]
    lines = [{"order_id": day, "product_id": "a", "quantity": 1, "unit_price": "10"} for day in dates]
    web.shop.upload("orders", "o.csv", csv(orders))
    web.shop.upload("order_items", "i.csv", csv(lines))
    web.shop.upload("products", "p.csv", csv([{"product_id": "a", "cost": "4", "currency": "eur"}]))
    web.fresh()
    asked = {"from": "2024-02-01", "to": "2024-03-01"}
    problem = web.client.get("/v1/products/performance", params=asked).json()
    assert problem["code"] == "mixed_currencies"
    assert "EUR, USD" in problem["detail"]
    row = web.rows("products/performance", **asked, currency="EUR")[0]
    assert (row["net_sales"], row["margin"], row["margin_rate"]) == ("10.0000", "6.0000", "0.600000")
    in_dollars = web.rows("products/performance", currency="USD")[0]
    assert (in_dollars["net_sales"], in_dollars["cost"], in_dollars["margin"]) == ("10.0000", None, None)


@pytest.mark.parametrize(
    "path",
    [
        "a_share=90&b_share=20",
        "a_share=-1",
        "abc=D",
        "sort=colour",
        "compare=previous_year",
        "from=2024-02-01&to=2024-01-01",
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path_factory, path, random_shop):
    answer = random_shop[0].client.get(f"/v1/products/performance?{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


# --- the same in plain Python ----------------------------------------------------------------------------------------


def performance(
    lines: list[dict[str, Any]],
    events: list[dict[str, Any]],
    asked: dict[str, str],
    span: tuple[datetime, datetime] = (START, END),
) -> dict[str, Any]:
    """What to expect of each product, in the asked range or in all of a span."""
    ranged = "from" in asked
    start, end = (BORDER, END) if ranged else span
    # The range before is as long: 29 days.
    now, before = _sums(lines, start, end, asked), _sums(lines, start - (end - start), start, asked)
    views: dict[str, int] = defaultdict(int)
    for event in events:
        name = event["product_id"]
        fits = asked.get("country") in (None, event["country"]) and asked.get("customers") != "known"
        if event["event_name"] != "cart" and start <= event["occurred_at"] < end and fits:
            views["" if not name or not _asked(name, asked) else name] += 1
    found = {}
    for name in {*now, *(before if ranged else ()), *views} - {""}:
        made = now.get(name) or _nothing()
        earlier = before.get(name, _nothing())["net"]
        cost = Decimal(COSTS.get(name) or 0) if COSTS.get(name) else None
        margin = None if cost is None else made["net"] - cost * (made["units"] - made["returned"])
        orders = len(made["orders"])
        seen = views.get(name, 0) if views else None
        found[name] = {
            "gross_sales": money(made["gross"]),
            "discounts": money(made["discounts"]),
            "returns": money(made["returns"]),
            "net_sales": money(made["net"]),
            "units": made["units"],
            "returned_units": made["returned"],
            "return_rate": ratio(made["returned"], made["units"], 6),
            "orders": orders,
            "customers": len(made["customers"]),
            "cost": None if cost is None else money(cost),
            "margin": None if margin is None else money(margin),
            "margin_rate": None if margin is None else ratio(margin, max(made["net"], ZERO), 6),
            "net_sales_previous": money(earlier) if ranged else None,
            "trend": ratio(made["net"] - earlier, max(earlier, ZERO), 6) if ranged else None,
            "views": seen,
            "views_to_buy": None if seen is None else ratio(seen, orders, 4),
        }
    return found


def _sums(lines: list[dict[str, Any]], start: datetime, end: datetime, asked: dict[str, str]) -> dict[str, Any]:
    sums: dict[str, Any] = defaultdict(_nothing)
    for line in lines:
        name, quantity, price = line["product_id"], line["quantity"], Decimal(line["unit_price"])
        fits = asked.get("country") in (None, line["country"]) and (line["customer_id"] or "customers" not in asked)
        if line["status"] == "cancelled" or not price or not start <= line["ordered_at"] < end:
            continue
        if not fits or not _asked(name, asked):
            continue
        made = sums[name]
        if quantity > 0:
            made["gross"] += quantity * price
            made["discounts"] += Decimal(line["discount"])
            made["units"] += quantity
            made["orders"].add(line["order_id"])
            made["customers"] |= {line["customer_id"]} - {""}
        else:
            made["returns"] += quantity * price - Decimal(line["discount"])
            made["returned"] -= quantity
        made["net"] = made["gross"] - made["discounts"] + made["returns"]
    return sums


def _asked(name: str, asked: dict[str, str]) -> bool:
    kind = "fee" if name == "f1" else "goods"
    return asked.get("kind", "goods") in ("all", kind) and asked.get("category") in (None, CATEGORIES.get(name))


def _nothing() -> dict[str, Any]:
    return {
        "gross": ZERO, "discounts": ZERO, "returns": ZERO, "net": ZERO, "units": 0, "returned": 0,
        "orders": set(), "customers": set(),
    }  # fmt: skip


def money(value: Decimal) -> str:
    """Four decimals, as answers have them."""
    return str(value.quantize(Decimal("0.0001")))


def ratio(value: Decimal | int, whole: Decimal | int, places: int) -> str | None:
    """A rounded quotient, half away from zero; None where the whole is zero."""
    if not whole:
        return None
    exact = Fraction(value) / Fraction(whole)
    rounded = Decimal(exact.numerator * 10**places) / Decimal(exact.denominator)
    return str(rounded.quantize(Decimal(1), ROUND_HALF_UP).scaleb(-places).quantize(Decimal(1).scaleb(-places)))


def csv(rows: list[dict[str, Any]]) -> str:
    """Rows as a file."""
    return "\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"
