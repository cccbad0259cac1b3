"""Sales by two dimensions: a small shop worked out by hand, and any breakdown of random ones against plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from random import Random
from typing import Any

import pytest

from tests.api_shop import code_of
from tests.breakdown_table import AXES, PERIODS, TIMES, check
from tests.lines_shop import BERLIN, DIMENSIONS, RANGE, Shop
from tests.shop import TENANT
from tests.web import Web, web_of


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def web(tmp_path_factory, shop) -> Web:
    web = web_of(tmp_path_factory.mktemp("breakdown"))
    shop.upload(web)
    return web


SMALL = """order_id,ordered_at,customer_id,country,channel,total,currency
1,2024-01-05T10:00Z,ann,DE,web,100,EUR
2,2024-01-05T11:00Z,ann,FR,web,20,EUR
3,2024-01-06T11:00Z,bob,AT,web,5,EUR
4,2024-02-01T10:00Z,bob,CH,shop,6,EUR
5,2024-02-02T10:00Z,ann,AT,shop,7,EUR
6,2024-02-02T10:00Z,,DE,shop,-30,EUR
"""


def test_worked_by_hand(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "o.csv", SMALL)
    rows = web.rows("sales/breakdown", rows="country", columns="channel", top=2)
    # Germany has 70, France 20; Austria and Switzerland together 18: in the shop ann and bob ordered, on the web bob
    # alone. Web has 125, shop -17.
    assert [(row["row_value"], row["row_is_other"], row["column_value"], row["net_sales"], row["orders"],
             row["customers"]) for row in rows] == [
        ("DE", False, "web", "100.0000", 1, 1), ("DE", False, "shop", "-30.0000", 0, 0),
        ("FR", False, "web", "20.0000", 1, 1),
        (None, True, "web", "5.0000", 1, 1), (None, True, "shop", "13.0000", 2, 2),
    ]  # fmt: skip
    assert [row["share"] for row in rows] == ["0.925926", "-0.277778", "0.185185", "0.046296", "0.120370"]
    assert [row["row_share"] for row in rows] == ["1.428571", "-0.428571", "1.000000", "0.277778", "0.722222"]
    assert [row["column_share"] for row in rows] == ["0.800000", "1.764706", "0.160000", "0.040000", "-0.764706"]


def test_the_others_count_an_order_and_a_customer_once(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id\n1,2024-01-05,ann\n2,2024-01-06,ann\n")
    lines = "".join(f"1,{place},p{place},1,{10 - place}\n2,{place},p{place},1,1\n" for place in range(4))
    web.shop.upload("order_items", "i.csv", f"order_id,line_id,product_id,quantity,unit_price\n{lines}")
    rows = web.rows("sales/breakdown", rows="product", columns="month", top=1)
    # p0 is in both orders, and so is at least one of p1, p2 and p3.
    assert [(row["row_value"], row["orders"], row["customers"], row["units"], row["net_sales"]) for row in rows] == [
        ("p0", 2, 1, 2, "11.0000"), (None, 2, 1, 6, "27.0000"),
    ]  # fmt: skip


def test_new_and_returning_customers_worked_by_hand(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "o.csv", SMALL)
    asked = {"rows": "customer_type", "columns": "month"}
    cells = {(row["row_value"], row["column_value"]): row["net_sales"] for row in web.rows("sales/breakdown", **asked)}
    assert cells == {
        ("new", "2024-01-01"): "105.0000", ("returning", "2024-01-01"): "20.0000",
        ("returning", "2024-02-01"): "13.0000", ("guest", "2024-02-01"): "-30.0000",
    }  # fmt: skip
    # Who bought before the range is not new in it; in Austria ann is.
    assert {row["row_value"] for row in web.rows("sales/breakdown", **asked, **{"from": "2024-02-01"})} == {
        "returning", "guest",
    }  # fmt: skip
    austria = web.rows("sales/breakdown", **asked, country="AT")
    assert [(row["row_value"], row["net_sales"]) for row in austria] == [("new", "5.0000"), ("new", "7.0000")]


def test_new_is_the_first_order_whatever_was_in_it(web, shop):
    """Of one product, sales to customers who had bought another before are not to new ones."""
    rows = check(web, shop, rows="customer_type", columns="month", product=["p1"])
    assert {row["row_value"] for row in rows} == {"new", "returning", "guest"}
    check(web, shop, rows="category", columns="customer_type", compare="previous_year")


@pytest.mark.parametrize(("rows", "columns"), list(permutations(DIMENSIONS, 2)))
@pytest.mark.parametrize("top", [None, 1])
def test_any_two_dimensions(web, shop, rows, columns, top):
    check(web, shop, rows=rows, columns=columns, **({"top": top} if top else {}))


@pytest.mark.parametrize("axis", [*TIMES, "customer_type"])
@pytest.mark.parametrize("other", ["country", "category", "customer"])
def test_any_dimension_by_time(web, shop, axis, other):
    check(web, shop, rows=other, columns=axis, top=2)
    check(web, shop, rows=axis, columns=other)


@pytest.mark.parametrize(("rows", "columns"), [("weekday", "hour"), ("week", "weekday"), ("hour", "month")])
def test_times_by_times(web, shop, rows, columns):
    check(web, shop, rows=rows, columns=columns)
    check(web, shop, rows=rows, columns=columns, compare="previous_period")


@pytest.mark.parametrize("compare", ["previous_period", "previous_year"])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ("country", "channel"), ("category", "customer_type"), ("country", "month"), ("week", "product"),
        ("channel", "day"), ("customer", "quarter"), ("country", "weekday"), ("year", "country"),
    ],
)  # fmt: skip
def test_cells_are_beside_those_of_the_earlier_time(web, shop, rows, columns, compare):
    for top in (None, 2):
        found = check(web, shop, rows=rows, columns=columns, compare=compare, **({"top": top} if top else {}))
        # Nothing was sold in the quarter before.
        assert any(row["orders_previous"] for row in found) or (columns, compare) == ("quarter", "previous_period")
        for row in found:
            before = row["net_sales_previous"] and Decimal(row["net_sales_previous"])
            if before:
                change = (Decimal(row["net_sales"]) - before) / before
                assert abs(Decimal(row["net_sales_change"]) - change) <= Decimal("0.000001")
            else:
                assert row["net_sales_change"] is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_breakdown_of_a_random_shop_equals_sums_in_plain_python(tmp_path, seed):
    random, web, shop = Random(seed), web_of(tmp_path), Shop(seed)
    shop.upload(web)
    for _ in range(40):
        rows, columns = random.sample(AXES, 2)
        if rows in PERIODS and columns in PERIODS:
            continue
        asked: dict[str, Any] = {"rows": rows, "columns": columns}
        asked |= random.choice([{}, {}, {"top": random.randrange(1, 5)}])
        asked |= random.choice(
            [{}, {"sort": random.choice(["gross_sales", "returns", "orders", "units", "customers"])}]
        )
        asked |= random.choice([{}, {}, {"compare": random.choice(["previous_period", "previous_year"])}])
        filters, keep = random.choice(
            [
                ({}, lambda line: True),
                ({"country": ["DE", "ZA"]}, lambda line: line["country"] in ("DE", "ZA")),
                ({"channel": ["web"]}, lambda line: line["channel"] == "web"),
                ({"customers": "known"}, lambda line: line["customer"] is not None),
                ({"customer": ["a", "b"]}, lambda line: line["customer"] in ("a", "b")),
                ({"product": ["p1", "p3"]}, lambda line: True),
            ]
        )
        check(web, shop, keep, **asked, **filters)


def test_what_lies_after_the_data_is_no_period(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "o.csv", SMALL)
    rows = web.rows("sales/breakdown", rows="country", columns="month", compare="previous_period")
    assert [(row["row_value"], row["column_value"], row["net_sales"], row["net_sales_previous"]) for row in rows] == [
        ("DE", "2024-01-01", "100.0000", "0.0000"), ("DE", "2024-02-01", "-30.0000", "100.0000"),
        ("FR", "2024-01-01", "20.0000", "0.0000"), ("FR", "2024-02-01", "0.0000", "20.0000"),
        ("AT", "2024-01-01", "5.0000", "0.0000"), ("AT", "2024-02-01", "7.0000", "5.0000"),
        ("CH", "2024-02-01", "6.0000", "0.0000"),
    ]  # fmt: skip


def test_pages_add_up_to_the_whole(web):
    asked = {**RANGE, "rows": "product", "columns": "week", "convert": "EUR"}
    whole, rows, cursor = web.rows("sales/breakdown", **asked), [], ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        body = web.client.get("/v1/sales/breakdown", params={**asked, "limit": 5, **more}).json()
        rows, cursor = rows + body["rows"], body["next"]
    assert rows == whole


def test_a_period_that_is_not_over_is_not_complete(tmp_path):
    web, now = web_of(tmp_path), datetime.now(BERLIN)
    rows = f"1,{now.isoformat()},DE,1\n2,{(now - timedelta(days=70)).isoformat()},DE,1\n"
    web.shop.upload("orders", "o.csv", f"order_id,ordered_at,country,total\n{rows}")
    for asked in ({"rows": "country", "columns": "year"}, {"rows": "month", "columns": "hour"}):
        found = web.rows("sales/breakdown", **asked, timezone="Europe/Berlin")
        assert found[-1]["complete"] is False
    assert [row["complete"] for row in web.rows("sales/breakdown", rows="month", columns="country")] == [True, False]
    assert web.rows("sales/breakdown", rows="weekday", columns="country")[0]["complete"] is None


def test_names_of_customers_are_for_who_may_see_them(web):
    from shared.keys import Keys

    reader = {"Authorization": f"Bearer {Keys(web.shop.store).create(TENANT, ('read',)).token}"}
    for address in ("rows=customer&columns=month", "rows=country&columns=customer"):
        path = f"/v1/sales/breakdown?{address}&convert=EUR"
        seen, hidden = web.client.get(path), web.client.get(path, headers=reader)
        assert seen.headers["etag"] != hidden.headers["etag"]
        assert any(row["row_label"] or row["column_label"] for row in seen.json()["rows"])
        assert not any(row["row_label"] or row["column_label"] for row in hidden.json()["rows"])


def test_several_currencies_are_refused_and_more_cells_than_are_served(tmp_path, web):
    answer = web.client.get("/v1/sales/breakdown?rows=country&columns=channel")
    assert code_of(answer) == (400, "mixed_currencies")
    earlier = {"from": "2024-05-01", "to": "2025-01-01", "rows": "country", "columns": "weekday"}
    answer = web.client.get("/v1/sales/breakdown", params={**earlier, "compare": "previous_period"})
    assert code_of(answer) == (400, "mixed_currencies")
    large = web_of(tmp_path)
    # 500 customers who bought of each of 401 products: 200,500 cells
    numbers = range(500)
    large.shop.upload(
        "orders", "o.csv", "order_id,ordered_at,customer_id\n" + "".join(f"{n},2024-01-01,c{n}\n" for n in numbers)
    )
    lines = "".join(f"{n},{p},p{p},1,1\n" for n in numbers for p in range(401))
    large.shop.upload("order_items", "i.csv", f"order_id,line_id,product_id,quantity,unit_price\n{lines}")
    asked = {"rows": "customer", "columns": "product", "limit": 1}
    for more in ({}, {"from": "2024-01-01", "to": "2024-01-02", "compare": "previous_period"}):
        answer = large.client.get("/v1/sales/breakdown", params={**asked, **more})
        assert code_of(answer) == (422, "invalid_parameter")
        assert answer.json()["detail"].startswith("top: there are 200,500 cells, more than 200,000")
    assert len(large.rows("sales/breakdown", **asked, top=400)) == 1


@pytest.mark.parametrize(
    "asked",
    [
        "rows=country", "rows=country&columns=country", "rows=month&columns=day", "rows=country&columns=planet",
        "rows=country&columns=channel&top=0", "rows=country&columns=channel&top=401",
        "rows=country&columns=channel&compare=previous_year", "rows=country&columns=channel&group_by=product",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_a_reason(web, asked):
    assert code_of(web.client.get(f"/v1/sales/breakdown?{asked}&convert=EUR")) == (422, "invalid_parameter")


def test_an_empty_lake_has_no_cells(tmp_path):
    web = web_of(tmp_path)
    for rows, columns in (("country", "month"), ("product", "customer"), ("weekday", "customer_type")):
        assert web.rows("sales/breakdown", rows=rows, columns=columns) == []
        assert web.rows("sales/breakdown", rows=rows, columns=columns, **RANGE, compare="previous_year") == []
