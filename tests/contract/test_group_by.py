"""Sales per group, of a range and of each period, against sums over the same lines in plain Python."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from decimal import Decimal

import pandas
import pytest

from tests.api_shop import code_of
from tests.lines_shop import (
    DIMENSIONS,
    END,
    RANGE,
    RATE,
    START,
    Line,
    Shop,
    got,
    is_seen,
    label_of,
    of_lines,
    sees,
)  # fmt: skip
from tests.shop import TENANT
from tests.web import Web, web_of


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def web(tmp_path_factory, shop) -> Web:
    web = web_of(tmp_path_factory.mktemp("groups"))
    shop.upload(web)
    return web


def in_range(line: Line) -> bool:
    return bool(START <= line["at"] < END)


def values_of(facts: list[Line], dimension: str) -> list[str | None]:
    """The values in the order of an answer: null at the end."""
    return sorted({line[dimension] for line in facts}, key=lambda value: (value is None, value))


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def month(moment: datetime) -> str:
    return f"{moment:%Y-%m-01}"


def week(moment: datetime) -> str:
    return day(moment - timedelta(days=moment.weekday()))


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
