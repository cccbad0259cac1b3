"""Sales per group, of a range and of each period, against sums over the same lines in plain Python."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pandas
import pytest

from tests.api_shop import code_of
from tests.shop import TENANT
from tests.web import Web, web_of

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2024, 2, 20, tzinfo=BERLIN), datetime(2024, 4, 10, tzinfo=BERLIN)
RANGE = {"from": "2024-02-20", "to": "2024-04-10", "timezone": "Europe/Berlin"}
PRODUCTS = {"p1": ("tea", "goods"), "p2": ("tea", "goods"), "p3": ("cups", "goods"), "p4": ("", "fee")}
RATE = {"EUR": Decimal(1), "USD": Decimal("0.5")}
ZERO = Decimal(0)
DIMENSIONS = ("country", "category", "product", "channel", "customer")
COUNTS = ("orders", "customers", "units", "returned_units")
AMOUNTS = ("gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales")
Line = dict[str, Any]


class Shop:
    """Orders of two years with up to four lines of all types."""

    def __init__(self) -> None:
        random = Random(11)
        self.orders: list[dict[str, Any]] = []
        self.lines: list[Line] = []
        for number in range(700):
            year = random.choice([2023, 2024, 2024])
            ordered_at = datetime(year, 1, 25, tzinfo=UTC) + timedelta(minutes=random.randrange(60 * 24 * 80))
            order = {
                "order_id": str(number),
                "ordered_at": ordered_at.isoformat(),
                "customer_id": random.choice(["", "a", "b", "c", "d"]),
                "country": random.choice(["DE", "FR", "ZA" if year == 2023 else "DE", ""]),
                "channel": random.choice(["web", "shop", ""]),
                "currency": random.choice(["EUR", "USD"]),
                "tax": random.choice(["0", "1.5"]),
                "shipping": random.choice(["0", "4"]),
                "discount": random.choice(["0", "0.5"]),
                "status": random.choice(["completed", "completed", "completed", "cancelled"]),
            }
            self.orders.append(order)
            for place in range(random.randrange(1, 5)):
                line_type = random.choice(["sale", "sale", "sale", "return", "adjustment"])
                self.lines.append(
                    {
                        "order_id": order["order_id"],
                        "line_id": str(place),
                        "product_id": random.choice(list(PRODUCTS)),
                        "quantity": random.randrange(1, 5) * (-1 if line_type == "return" else 1),
                        "unit_price": Decimal(random.randrange(2, 900, 2)) / 100 * (-1 if line_type[0] == "a" else 1),
                        "discount": random.choice(["0", "0.02"]),
                        "line_type": line_type,
                    }
                )

    def upload(self, web: Web) -> None:
        products = [
            {"product_id": key, "name": f"Product {key}", "category": category, "kind": kind}
            for key, (category, kind) in PRODUCTS.items()
        ]
        customers = [{"customer_id": key, "name": f"Customer {key}"} for key in "abcd"]
        rates = [{"currency": "USD", "base": "EUR", "day": f"{y}-{m:02}-01", "rate": "0.5"}
                 for y in (2023, 2024) for m in range(1, 6)]  # fmt: skip
        for dataset, rows in (
            ("products", products), ("customers", customers), ("rates", rates), ("orders", self.orders),
            ("order_items", self.lines),
        ):  # fmt: skip
            assert web.shop.upload(dataset, f"{dataset}.csv", csv_of(rows)).status == "loaded"
        web.fresh()

    def expected(
        self, lines: Iterable[Line], *, of_lines: bool, adjustments: bool = False, rates: dict[str, Decimal] = RATE
    ) -> Line:
        """The metrics of some lines with their orders; an order's own amounts belong to no product."""
        lines = list(lines)
        sums = dict.fromkeys((*AMOUNTS, "units", "returned_units"), ZERO)
        orders = {line["order_id"]: line["order"] for line in lines}
        sold = {line["order_id"] for line in lines if line["line_type"] == "sale"}
        net_of_sold = ZERO
        for line in lines:
            rate = rates[line["order"]["currency"]]
            gross, less = line["quantity"] * line["unit_price"] * rate, Decimal(line["discount"]) * rate
            if line["line_type"] == "sale":
                sums["gross_sales"] += gross
                sums["discounts"] += less
                sums["units"] += line["quantity"]
            elif line["line_type"] == "return":
                sums["returns"] += gross - less
                sums["returned_units"] -= line["quantity"]
            elif adjustments:
                sums["adjustments"] += gross - less
            if line["line_type"] != "adjustment" and line["order_id"] in sold:
                net_of_sold += gross - less
        if not of_lines:
            for order_id, order in orders.items():
                rate = rates[order["currency"]]
                for name, column in (("tax", "tax"), ("shipping", "shipping"), ("discounts", "discount")):
                    sums[name] += Decimal(order[column]) * rate
                net_of_sold -= Decimal(order["discount"]) * rate if order_id in sold else ZERO
        sums["net_sales"] = sums["gross_sales"] - sums["discounts"] + sums["returns"] + sums["adjustments"]
        sums["total_sales"] = sums["net_sales"] + sums["tax"] + sums["shipping"]
        customers = {orders[order_id]["customer_id"] for order_id in sold} - {""}
        aov = (net_of_sold / len(sold)).quantize(Decimal("0.0001"), ROUND_HALF_UP) if sold else None
        return {**sums, "orders": len(sold), "customers": len(customers), "aov": aov}

    def facts(self, keep: Callable[[Line], bool] = lambda line: True) -> list[Line]:
        """Every line of the orders that were not cancelled, with its order, local time and the value of each group."""
        by_id = {order["order_id"]: order for order in self.orders if order["status"] != "cancelled"}
        found = []
        for line in self.lines:
            if order := by_id.get(line["order_id"]):
                groups = {
                    "country": order["country"] or None,
                    "channel": order["channel"] or None,
                    "customer": order["customer_id"] or None,
                    "product": line["product_id"],
                    "category": PRODUCTS[line["product_id"]][0] or None,
                }
                local = datetime.fromisoformat(order["ordered_at"]).astimezone(BERLIN)
                found.append({**line, **groups, "order": order, "at": local})
        return [line for line in found if keep(line)]


def csv_of(rows: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def web(tmp_path_factory, shop) -> Web:
    web = web_of(tmp_path_factory.mktemp("groups"))
    shop.upload(web)
    return web


def got(row: Line, suffix: str = "") -> Line:
    found = {name: None if row[name + suffix] is None else Decimal(row[name + suffix]) for name in (*AMOUNTS, "aov")}
    return {**found, **{name: row[name + suffix] for name in COUNTS}}


def in_range(line: Line) -> bool:
    return bool(START <= line["at"] < END)


def is_seen(line: Line) -> bool:
    return line["line_type"] != "adjustment"


def values_of(facts: list[Line], dimension: str) -> list[str | None]:
    """The values in the order of an answer: null at the end."""
    return sorted({line[dimension] for line in facts}, key=lambda value: (value is None, value))


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def month(moment: datetime) -> str:
    return f"{moment:%Y-%m-01}"


def week(moment: datetime) -> str:
    return day(moment - timedelta(days=moment.weekday()))


def of_lines(dimension: str) -> bool:
    return dimension in ("product", "category")


def sees(dimension: str) -> Callable[[Line], bool]:
    """Adjustments are left out; but an order that has nothing else may have amounts of its own."""

    def seen(line: Line) -> bool:
        own = any(Decimal(line["order"][name]) for name in ("tax", "shipping", "discount"))
        return is_seen(line) or (own and not of_lines(dimension))

    return seen


def label_of(dimension: str, value: str | None) -> str | None:
    return f"{dimension.title()} {value}" if dimension in ("product", "customer") and value else None


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_summary_has_a_row_for_each_group(web, shop, dimension):
    facts = shop.facts(lambda line: in_range(line) and sees(dimension)(line))
    rows = web.rows("sales/summary", **RANGE, group_by=dimension, convert="EUR")
    assert {row["value"] for row in rows} == set(values_of(facts, dimension))
    for row in rows:
        mine = [line for line in facts if line[dimension] == row["value"]]
        assert got(row) == shop.expected(mine, of_lines=of_lines(dimension)), row["value"]
        assert row["label"] == label_of(dimension, row["value"])
    order = [(-Decimal(row["net_sales"]), row["value"] is None, row["value"]) for row in rows]
    assert order == sorted(order)
    by = web.rows("sales/by", **RANGE, dimension=dimension, convert="EUR")
    assert [{name: value for name, value in row.items() if name != "share"} for row in by] == rows


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize(("grain", "period"), [("day", day), ("week", week), ("month", month)])
@pytest.mark.parametrize("fill", [True, False])
def test_each_period_has_a_row_for_each_group(web, shop, dimension, grain, period, fill):
    facts = shop.facts(lambda line: in_range(line) and sees(dimension)(line))
    places: dict[tuple[str, str | None], list[Line]] = {}
    if fill:
        days = sorted({period(START + timedelta(days=number)) for number in range((END - START).days)})
        places = {(one, value): [] for one in days for value in values_of(facts, dimension)}
    for line in facts:
        places.setdefault((period(line["at"]), line[dimension]), []).append(line)
    order = sorted(places, key=lambda place: (place[0], place[1] is None, place[1]))
    rows = web.rows("sales/by-period", **RANGE, grain=grain, fill=fill, group_by=dimension, convert="EUR")
    assert [(row["period"], row["value"]) for row in rows] == order
    for row in rows:
        mine = places[row["period"], row["value"]]
        assert got(row) == shop.expected(mine, of_lines=of_lines(dimension)), (row["period"], row["value"])
        assert row["label"] == label_of(dimension, row["value"])
        assert row["complete"] is True


def test_an_order_with_two_categories_counts_in_both(web, shop):
    facts = shop.facts(lambda line: in_range(line) and line["line_type"] == "sale")
    several = {line["order_id"] for line in facts if line["category"] == "tea"}
    several &= {line["order_id"] for line in facts if line["category"] == "cups"}
    assert several
    rows = web.rows("sales/summary", **RANGE, group_by="category", convert="EUR")
    whole = web.rows("sales/summary", **RANGE, convert="EUR")[0]
    assert sum(row["orders"] for row in rows) > whole["orders"] == len({line["order_id"] for line in facts})
    assert sum(Decimal(row["gross_sales"]) for row in rows) == Decimal(whole["gross_sales"])


@pytest.mark.parametrize(
    ("filters", "keep"),
    [
        ({"currency": "usd"}, lambda line: line["order"]["currency"] == "USD"),
        ({"country": ["DE", "ZA"]}, lambda line: line["country"] in ("DE", "ZA")),
        ({"product": ["p1", "p3"]}, lambda line: line["product"] in ("p1", "p3")),
        ({"customers": "known"}, lambda line: line["customer"] is not None),
        ({"include": "adjustments"}, lambda line: True),
        ({"kind": "goods", "product": ["p1", "p2", "p3", "p4"]}, lambda line: line["product"] != "p4"),
    ],
    ids=["currency", "country", "product", "known", "adjustments", "kind"],
)
@pytest.mark.parametrize("dimension", ["category", "customer"])
def test_filters_and_groups_work_together(web, shop, dimension, filters, keep):
    lines_only = of_lines(dimension) or "product" in filters
    adjustments = "include" in filters
    facts = shop.facts(lambda line: in_range(line) and keep(line) and (adjustments or not lines_only or is_seen(line)))
    rates, asked = RATE, {**filters, "convert": "EUR"}
    if "currency" in filters:
        rates, asked = {"USD": Decimal(1)}, filters
    rows = web.rows("sales/by-period", **RANGE, **asked, grain="month", group_by=dimension)
    assert rows
    for row in rows:
        mine = [line for line in facts if (month(line["at"]), line[dimension]) == (row["period"], row["value"])]
        expected = shop.expected(mine, of_lines=lines_only, adjustments=adjustments, rates=rates)
        assert got(row) == expected, (row["period"], row["value"])
    assert {row["value"] for row in rows} == set(values_of(facts, dimension))


@pytest.mark.parametrize("dimension", ["country", "category", "customer"])
def test_groups_are_beside_themselves_of_the_time_before(web, shop, dimension):
    facts = shop.facts(sees(dimension))
    spans = {
        "previous_year": (START.replace(year=2023), END.replace(year=2023)),
        "previous_period": (START - timedelta(days=50), START),
    }
    for compare, (first, last) in spans.items():
        rows = web.rows("sales/summary", **RANGE, group_by=dimension, convert="EUR", compare=compare)
        before = [line for line in facts if first <= line["at"] < last]
        now = [line for line in facts if in_range(line)]
        assert {row["value"] for row in rows} == set(values_of(now + before, dimension))
        for row in rows:
            for suffix, lines in (("", now), ("_previous", before)):
                mine = [line for line in lines if line[dimension] == row["value"]]
                assert got(row, suffix) == shop.expected(mine, of_lines=of_lines(dimension)), (compare, row["value"])
    assert "ZA" not in {row["value"] for row in web.rows("sales/summary", **RANGE, group_by="country", convert="EUR")}


@pytest.mark.parametrize("dimension", ["country", "category"])
def test_periods_of_groups_are_beside_those_before(web, shop, dimension):
    facts = shop.facts(sees(dimension))
    value_now = values_of([line for line in facts if in_range(line)], dimension)
    for compare, forward in (("previous_year", a_year_later), ("previous_period", a_day_later)):
        moved = [{**line, "at": forward(line["at"])} for line in facts]
        rows = web.rows("sales/by-period", **RANGE, group_by=dimension, convert="EUR", compare=compare)
        before = [line for line in moved if in_range(line)]
        values = values_of([line for line in facts if in_range(line)] + before, dimension)
        assert [row["value"] for row in rows] == values * (END.date() - START.date()).days
        assert compare == "previous_period" or dimension != "country" or values != value_now
        for row in rows:
            mine = [line for line in before if (day(line["at"]), line[dimension]) == (row["period"], row["value"])]
            if compare == "previous_year" and row["period"] == "2024-02-29":
                assert not mine
                assert row["orders_previous"] is None
            else:
                assert got(row, "_previous") == shop.expected(mine, of_lines=of_lines(dimension)), row["period"]


def a_year_later(moment: datetime) -> datetime:
    return moment.replace(year=moment.year + 1) if (moment.month, moment.day) != (2, 29) else moment.replace(1900, 1, 1)


def a_day_later(moment: datetime) -> datetime:
    return moment + timedelta(days=1)


def test_a_share_stays_what_it_is_with_groups_of_the_earlier_time(web):
    rows = web.rows("sales/by", **RANGE, dimension="country", convert="EUR", compare="previous_year")
    gone = next(row for row in rows if row["value"] == "ZA")
    assert (gone["net_sales"], gone["orders"], gone["aov"], float(gone["share"])) == ("0.0000", 0, None, 0)
    assert Decimal(gone["net_sales_change"]) == -1
    assert sum(Decimal(row["share"]) for row in rows) == pytest.approx(Decimal(1), abs=Decimal("0.00001"))


@pytest.mark.parametrize("question", ["sales/summary", "sales/by-period"])
@pytest.mark.parametrize("compare", [None, "previous_year"])
def test_pages_of_groups_add_up_and_every_format_has_the_same_rows(web, question, compare):
    asked = {**RANGE, "group_by": "product", "convert": "EUR", **({"compare": compare} if compare else {})}
    if question == "sales/by-period":
        asked["grain"] = "week"
    whole = web.rows(question, **asked)
    rows, cursor = [], ""
    while cursor is not None:
        body = web.client.get(f"/v1/{question}", params={**asked, "limit": 3, **({"cursor": cursor} if cursor else {})})
        rows, cursor = rows + body.json()["rows"], body.json()["next"]
    assert rows == whole
    table = pandas.read_csv(
        io.BytesIO(web.client.get(f"/v1/{question}", params={**asked, "format": "csv"}).content),
        dtype=str, keep_default_na=False,
    )  # fmt: skip
    parquet = web.client.get(f"/v1/{question}", params={**asked, "format": "parquet"}).content
    frame = pandas.read_parquet(io.BytesIO(parquet))
    for other in (table, frame):
        assert list(other.columns) == list(whole[0])
        assert [str(value) for value in other["net_sales"]] == [row["net_sales"] for row in whole]
        assert list(other["value"]) == [row["value"] for row in whole]


def test_names_of_customers_are_for_who_may_see_them(web):
    from shared.keys import Keys

    reader = {"Authorization": f"Bearer {Keys(web.shop.store).create(TENANT, ('read',)).token}"}
    for question in ("sales/summary", "sales/by-period?grain=month"):
        for dimension, shown in (("customer", False), ("product", True)):
            address = f"/v1/{question}{'&' if '?' in question else '?'}group_by={dimension}&convert=EUR"
            seen, hidden = web.client.get(address), web.client.get(address, headers=reader)
            assert any(row["label"] for row in seen.json()["rows"])
            assert any(row["label"] for row in hidden.json()["rows"]) == shown
            # whoever may not see them is never given the answer of somebody who may
            assert (seen.headers["etag"] == hidden.headers["etag"]) == shown


def test_several_currencies_are_refused_in_groups_too(web):
    for question in ("sales/summary", "sales/by-period"):
        answer = web.client.get(f"/v1/{question}", params={**RANGE, "group_by": "country"})
        assert code_of(answer) == (400, "mixed_currencies")


def test_more_rows_than_are_served_are_refused_with_what_to_do(tmp_path):
    web = web_of(tmp_path)
    rows = "".join(f"{number},2024-01-01,c{number},1\n" for number in range(300))
    web.shop.upload("orders", "o.csv", f"order_id,ordered_at,customer_id,total\n{rows}")
    web.fresh()
    # 300 customers: 666 days are 199,800 rows, 667 are 200,100
    asked = {"group_by": "customer", "from": "2024-01-01", "limit": 1}
    assert web.client.get("/v1/sales/by-period", params={**asked, "to": "2025-10-28"}).status_code == 200
    answer = web.client.get("/v1/sales/by-period", params={**asked, "to": "2025-10-29"})
    assert code_of(answer) == (422, "invalid_parameter")
    assert answer.json()["detail"].startswith("group_by: the periods of all groups are 200,100 rows, more than 200,000")
    for more in ({"fill": False}, {"grain": "week"}, {"customer": ["c1", "c2"]}):
        assert web.client.get("/v1/sales/by-period", params={**asked, "to": "2025-10-29", **more}).status_code == 200


def test_groups_of_an_empty_lake_are_none(tmp_path):
    web = web_of(tmp_path)
    for dimension in DIMENSIONS:
        for question in ("sales/summary", "sales/by-period"):
            assert web.rows(question, group_by=dimension, **RANGE) == []
            assert web.rows(question, group_by=dimension, **RANGE, compare="previous_year") == []
    assert code_of(web.client.get("/v1/sales/summary?group_by=planet")) == (422, "invalid_parameter")
