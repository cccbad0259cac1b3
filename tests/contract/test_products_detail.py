"""The detail of one product in a shop worked out by hand, and on Online Retail against its other answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
FILES = {
    "products": """product_id,name,category,brand,kind,price,cost,currency
mug,Mug,kitchen,Acme,goods,9.00,4.00,EUR
pen,Pen,office,,goods,2.00,,EUR
new,Not sold yet,office,,goods,5.00,2.00,EUR
""",
    # The range before is the 29 days up to February. Order 6 is a guest's; 7 was cancelled.
    "orders": """order_id,ordered_at,customer_id,country,status,currency
1,2024-01-10T12:00:00Z,ann,DE,completed,EUR
2,2024-02-01T00:30:00Z,ann,DE,completed,EUR
3,2024-02-02T12:00:00Z,ann,DE,completed,EUR
4,2024-02-03T12:00:00Z,bob,FR,completed,EUR
5,2024-02-04T12:00:00Z,cleo,FR,completed,EUR
6,2024-02-05T23:30:00Z,,FR,completed,EUR
7,2024-02-06T12:00:00Z,dora,FR,cancelled,EUR
8,2024-02-07T12:00:00Z,bob,FR,completed,EUR
9,2024-02-08T12:00:00Z,eve,FR,completed,EUR
""",
    "order_items": """order_id,line_id,product_id,quantity,unit_price,discount
1,1,mug,4,9.00,0
2,1,mug,5,8.00,1.00
2,2,pen,1,2.00,0
3,1,mug,5,8.00,0
3,2,pen,1,2.00,0
4,1,mug,1,9.00,0
4,2,pen,1,2.00,0
4,3,ink,1,3.00,0
5,1,mug,1,9.00,0
5,2,ink,1,3.00,0
6,1,mug,2,8.50,0
7,1,mug,99,9.00,0
8,1,mug,-1,9.00,0
9,1,dust,1,1.00,0
""",
    "events": """event_id,event_name,occurred_at,product_id
a,view,2024-02-01T10:00:00Z,mug
b,View,2024-02-02T10:00:00Z,mug
c,view,2024-02-02T10:00:00Z,pen
d,cart,2024-02-02T10:00:00Z,mug
e,view,2024-01-02T10:00:00Z,mug
""",
}
FEBRUARY = {"from": "2024-02-01", "to": "2024-03-01"}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("small"))
    for dataset, text in FILES.items():
        web.shop.upload(dataset, f"{dataset}.csv", text)
    web.fresh()
    return web


def test_one_product_by_hand(small):
    (row,) = small.rows("products/detail", product="mug", **FEBRUARY)
    assert row == {
        "product_id": "mug",
        "product_name": "Mug",
        "category": "kitchen",
        "brand": "Acme",
        "product_kind": "goods",
        "list_price": "9.0000",
        "first_sold": "2024-02-01",
        "last_sold": "2024-02-05",
        "gross_sales": "115.0000",  # 40 + 40 + 9 + 9 + 17
        "discounts": "1.0000",
        "returns": "-9.0000",
        "adjustments": "0.0000",
        "net_sales": "105.0000",
        "net_sales_previous": "36.0000",
        "trend": "1.916667",  # 69 / 36
        "cost": "4.0000",
        "margin": "53.0000",  # 105 − 4 × (14 − 1)
        "margin_rate": "0.504762",  # 53 / 105
        "units": 14,
        "returned_units": 1,
        "return_rate": "0.071429",  # 1 / 14
        "orders": 5,
        "customers": 3,
        "repeat_customers": 1,  # ann; bob only sent something back
        "top_customers": 1,  # ann spent 79 of the 88 of known customers; what bob spent he got back
        "views": 2,
        "views_to_buy": "0.4000",
        "price_points": [
            {"unit_price": "8.0000", "units": 10, "orders": 2, "first_sold": "2024-02-01", "last_sold": "2024-02-02"},
            {"unit_price": "8.5000", "units": 2, "orders": 1, "first_sold": "2024-02-05", "last_sold": "2024-02-05"},
            {"unit_price": "9.0000", "units": 2, "orders": 2, "first_sold": "2024-02-03", "last_sold": "2024-02-04"},
        ],
        # Pen is in 3 of the 5 orders with a mug and in no other; ink is in 2 only, dust in none.
        "bought_together": [{"product_id": "pen", "name": "Pen", "orders": 3, "confidence": "0.600000"}],
    }


@pytest.mark.parametrize(
    ("spent", "expected"),
    [([50, 30, 15, 5], 2), ([79, 19, 2], 2), ([81, 19], 1), ([40, 30, 20, 10], 3), ([25, 25, 25, 25], 4), ([7], 1)],
)
def test_the_customer_that_crosses_80_percent_is_a_top_customer(tmp_path, spent, expected):
    web = web_of(tmp_path)
    orders = [f"o{n},2024-01-01,c{n}" for n in range(len(spent))]
    lines = [f"o{n},mug,1,{price}" for n, price in enumerate(spent)]
    web.shop.upload("orders", "o.csv", "\n".join(["order_id,ordered_at,customer_id", *orders, "guest,2024-01-01,", ""]))
    web.shop.upload(
        "order_items", "i.csv", "\n".join(["order_id,product_id,quantity,unit_price", *lines, "guest,mug,1,999", ""])
    )
    web.fresh()
    assert web.rows("products/detail", product="mug")[0]["top_customers"] == expected


def test_days_are_those_of_the_time_zone(small):
    (row,) = small.rows("products/detail", product="mug", timezone="America/New_York")
    assert (row["first_sold"], row["last_sold"]) == ("2024-01-10", "2024-02-05")
    (row,) = small.rows("products/detail", product="mug", timezone="Asia/Tokyo", **FEBRUARY)
    assert row["last_sold"] == "2024-02-06"


def test_a_product_of_the_catalogue_that_was_never_sold_is_all_zeros(small):
    (row,) = small.rows("products/detail", product="new", **FEBRUARY)
    assert (row["product_name"], row["net_sales"], row["orders"], row["customers"]) == ("Not sold yet", "0.0000", 0, 0)
    assert (row["net_sales_previous"], row["trend"], row["first_sold"]) == ("0.0000", None, None)
    assert (row["price_points"], row["bought_together"], row["top_customers"]) == ([], [], 0)


def test_a_product_that_only_order_lines_know_is_known(small):
    (row,) = small.rows("products/detail", product="ink", country="FR")
    assert (row["product_name"], row["units"], row["margin"]) == (None, 2, None)


def test_a_product_that_nobody_knows_is_a_problem(small):
    answer = small.client.get("/v1/products/detail", params={"product": "mugg"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_row")
    assert "mugg" in answer.json()["detail"]


def test_partners_are_counted_in_all_orders_whatever_the_currency(small):
    (row,) = small.rows("products/detail", product="mug", currency="USD")
    assert (row["net_sales"], row["orders"]) == ("0.0000", 0)
    assert [partner["product_id"] for partner in row["bought_together"]] == ["pen"]


@pytest.mark.parametrize("path", ["", "product=a&product=b", "product=a&category=toys", "product=a&trend=up"])
def test_what_cannot_be_asked_is_refused(small, path):
    answer = small.client.get(f"/v1/products/detail?{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


@pytest.mark.parametrize("product", ["22423", "85123A", "POST"])
def test_a_product_of_online_retail_is_the_same_in_every_answer(retail, product):
    asked: dict[str, Any] = {"from": "2011-06-01", "to": "2011-09-01", "timezone": "Europe/London", "kind": "all"}
    (row,) = retail.rows("products/detail", product=product, **asked)
    (performance,) = retail.rows("products/performance", product=product, **asked)
    (sales,) = retail.rows("sales/summary", product=product, **asked)
    assert all(row[name] == performance[name] for name in row.keys() & performance.keys())
    assert all(row[name] == sales[name] for name in row.keys() & sales.keys())
    rules = retail.rows("products/affinity", product=product, **asked, min_support=0, min_orders=3, max_basket=10_000)
    confident = sorted(rules, key=lambda rule: (-rule["set_orders"], rule["consequent"]))[:5]
    assert [(one["product_id"], one["orders"], one["confidence"]) for one in row["bought_together"]] == [
        (rule["consequent"], rule["set_orders"], rule["confidence"]) for rule in confident
    ]
