"""Repeat rate, top customers and one customer: real ones against pandas' figures, random ones against plain Python."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import mean, median

import pytest

from shared.keys import Keys
from tests.shop import TENANT
from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
RFM = json.loads((ROOT / "tests/oracles/rfm.json").read_text())["all"]
LONDON = {"timezone": "Europe/London"}


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


def test_the_repeat_rate_of_online_retail_is_that_of_the_orders_of_pandas(retail):
    orders = [one[1] for one in RFM.values()]
    rows = retail.rows("customers/repeat-rate", up_to=1_000)
    assert len(rows) == 1 + max(orders)
    for row in rows:
        number = row["order_number"] or 1
        customers, repeat = sum(one >= number for one in orders), sum(one > number for one in orders)
        assert (row["customers"], row["repeat_customers"]) == (customers, repeat)
        assert float(row["repeat_rate"]) == pytest.approx(repeat / customers, abs=1e-6)


def random_orders(seed: int) -> list[tuple[str, datetime, str]]:
    random = Random(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        (str(number), start + timedelta(seconds=random.randrange(90 * 86_400)), random.choice("abcdefgh"))
        for number in range(40)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_times_between_orders_are_those_of_plain_python(tmp_path, seed):
    web, orders = web_of(tmp_path), random_orders(seed)
    lines = [f"{order},{at.isoformat()},{who},10" for order, at, who in orders]
    guests = ["g1,2024-02-01T00:00:00Z,,10", "g2,2024-02-02T00:00:00Z,,10"]
    back = [f"r{who},2024-02-03T00:00:00Z,{who},-5" for who in "abc"]
    web.shop.upload(
        "orders", "o.csv", "\n".join(["order_id,ordered_at,customer_id,total", *lines, *guests, *back]) + "\n"
    )
    for start, end in (("2024-01-01", "2024-04-01"), ("2024-01-20", "2024-03-01")):
        low, high = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
        times: dict[str, list[datetime]] = {}
        for _, at, who in sorted(orders, key=lambda one: one[1]):
            if low <= at < high:
                times.setdefault(who, []).append(at)
        gaps: dict[int | None, list[float]] = {}
        for one in times.values():
            for number in range(1, len(one)):
                days = (one[number] - one[number - 1]).total_seconds() / 86_400
                gaps.setdefault(number, []).append(days)
                gaps.setdefault(None, []).append(days)
        rows = web.rows("customers/repeat-rate", **{"from": start, "to": end}, up_to=100)
        assert [row["order_number"] for row in rows] == [None, *range(1, 1 + max(map(len, times.values())))]
        for row in rows:
            number, found = row["order_number"], gaps.get(row["order_number"], [])
            assert row["customers"] == sum(len(one) >= (number or 1) for one in times.values())
            assert row["repeat_customers"] == sum(len(one) > (number or 1) for one in times.values())
            if not found:
                assert row["mean_days_between"] is row["median_days_between"] is None
                continue
            assert float(row["mean_days_between"]) == pytest.approx(mean(found), abs=1e-4)
            assert float(row["median_days_between"]) == pytest.approx(median(found), abs=1e-4)


@pytest.mark.parametrize(("by", "place", "scale"), [("net_sales", 2, 1000), ("orders", 1, 1)])
def test_the_top_customers_of_online_retail_are_those_of_pandas(retail, by, place, scale):
    expected = sorted(RFM, key=lambda customer: (-RFM[customer][place], customer))
    whole, so_far = sum(one[place] for one in RFM.values()), 0
    rows = retail.rows("customers/top", by=by, limit=10_000, **LONDON)
    assert [row["customer_id"] for row in rows] == expected
    assert [row["rank"] for row in rows] == list(range(1, len(expected) + 1))
    for row in rows:
        value = RFM[row["customer_id"]][place]
        so_far += value
        assert Decimal(row[by]) == Decimal(value) / scale
        assert float(row["share_of_metric"]) == pytest.approx(value / whole, abs=1e-6)
        assert float(row["running_share"]) == pytest.approx(so_far / whole, abs=1e-6)


@pytest.mark.parametrize("by", ["gross_sales", "returns", "units"])
def test_top_customers_agree_with_sales_by_customer(retail, by):
    rows = retail.rows("customers/top", by=by, limit=20, **LONDON)
    for row in rows:
        sales = retail.rows("sales/summary", customer=[row["customer_id"]])[0]
        assert {name: row[name] for name in ("gross_sales", "returns", "net_sales", "orders", "units")} == {
            name: sales[name] for name in ("gross_sales", "returns", "net_sales", "orders", "units")
        }
    values = [abs(Decimal(row[by])) for row in rows]
    assert values == sorted(values, reverse=True)


def test_the_first_order_is_the_first_ever_but_only_the_range_is_ranked(retail):
    asked = {**LONDON, "from": "2011-12-01", "customer": ["12347", "12346"]}
    rows = retail.rows("customers/top", **asked)
    assert [(row["customer_id"], row["first_order"], row["last_order"], row["orders"]) for row in rows] == [
        ("12347", "2010-12-07", "2011-12-07", 1)
    ]


# --- one customer ----------------------------------------------------------------------------------------------------

ORDERS = """order_id,ordered_at,customer_id,currency,status
1,2024-01-01T23:30:00Z,a,EUR,completed
2,2024-01-11T23:30:00Z,a,EUR,completed
3,2024-01-31T23:30:00Z,a,EUR,completed
4,2024-02-01T09:00:00Z,a,EUR,cancelled
5,2024-02-02T09:00:00Z,b,EUR,completed
6,2024-02-03T09:00:00Z,c,EUR,cancelled
7,2024-02-04T09:00:00Z,d,EUR,completed
"""
LINES = """order_id,line_id,product_id,quantity,unit_price,kind
1,1,pen,2,10,goods
1,2,fee,1,3,fee
2,1,pen,1,10,goods
2,2,ink,5,4,goods
3,1,ink,1,4,goods
3,2,pad,1,7,goods
3,3,pen,-1,10,goods
4,1,gum,9,9,goods
5,1,pen,1,10,goods
6,1,pen,1,10,goods
7,1,pen,-1,10,goods
"""
PEOPLE = "customer_id,name,email,country\na,Ada,ada@example.com,DE\np,Pia,pia@example.com,FR\n"
PRODUCTS = "product_id,name\npen,Pen\nink,Ink\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("small"))
    for dataset, content in (
        ("orders", ORDERS), ("order_items", LINES), ("customers", PEOPLE), ("products", PRODUCTS),
    ):  # fmt: skip
        web.shop.upload(dataset, f"{dataset}.csv", content)
    web.fresh()
    return web


def test_everything_about_one_customer(small):
    row = small.rows("customers/detail", customer="a", recent=2, favourites=3)[0]
    # by hand: 23 + 30 + 11 sold, 10 sent back; ten and twenty days between the orders; the data ends with 4 February
    assert row == {
        "customer_id": "a", "label": "Ada", "email": "ada@example.com", "country": "DE",
        "orders": 3, "units": 11, "gross_sales": "64.0000", "returns": "-10.0000", "net_sales": "54.0000",
        "first_order": "2024-01-01", "last_order": "2024-01-31", "recency_days": 5,
        # b bought two days ago once for ten, a is the other one: with two customers there are scores 1 and 2
        "r_score": 1, "f_score": 2, "m_score": 2, "rfm": "122", "segment": "Dormant",
        "median_days_between": "15.0000", "next_order": "2024-02-15",
        "recent_orders": [
            {
                "order_id": "3", "ordered_at": "2024-01-31T23:30:00Z", "net_sales": "1.0000", "currency": "EUR",
                "units": 2,
            },
            {
                "order_id": "2", "ordered_at": "2024-01-11T23:30:00Z", "net_sales": "30.0000", "currency": "EUR",
                "units": 6,
            },
        ],
        "favourite_products": [
            {"product_id": "ink", "name": "Ink", "orders": 2, "units": 6},
            {"product_id": "pen", "name": "Pen", "orders": 2, "units": 3},
            {"product_id": "pad", "name": None, "orders": 1, "units": 1},
        ],
        "alive": None, "expected_orders": None, "lifetime_value": None, "tier": None,
    }  # fmt: skip


def test_days_are_those_of_the_asked_time_zone_and_nothing_after_to_is_looked_at(small):
    row = small.rows("customers/detail", customer="a", timezone="Europe/Berlin", to="2024-01-20")[0]
    assert (row["first_order"], row["last_order"], row["next_order"]) == ("2024-01-02", "2024-01-12", "2024-01-22")
    assert (row["orders"], row["net_sales"], len(row["recent_orders"])) == (2, "53.0000", 2)
    assert [one["product_id"] for one in row["favourite_products"]] == ["pen", "ink"]


@pytest.mark.parametrize(
    ("customer", "segment", "orders"),
    [("p", "Prospects", 0), ("c", "Prospects", 0), ("d", None, 0), ("b", "Champions", 1)],
)
def test_a_customer_who_never_bought_is_a_prospect_and_is_found(small, customer, segment, orders):
    asked = {"bins": "fixed", "frequency": "0.1,0.2,0.3,0.4", "monetary": "1,2,3,4"}
    row = small.rows("customers/detail", customer=customer, **asked)[0]
    assert (row["segment"], row["orders"], row["next_order"]) == (segment, orders, None)
    assert (row["rfm"] is None) == (orders == 0)
    assert len(row["recent_orders"]) == orders


def test_who_is_not_a_customer_is_not_found(small):
    for asked in ("customer=nobody", "customer=nobody&format=csv", "customer=A"):
        answer = small.client.get(f"/v1/customers/detail?{asked}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_row")
    assert small.client.get("/v1/customers/detail").json()["code"] == "invalid_parameter"


def test_names_and_addresses_are_shown_to_who_may_see_them(small):
    token = Keys(small.shop.store).create(TENANT, ["read"]).token
    asked = {"params": {"customer": "a"}, "headers": {"Authorization": f"Bearer {token}"}}
    row = small.client.get("/v1/customers/detail", **asked).json()["rows"][0]
    assert (row["label"], row["email"], row["country"]) == (None, None, "DE")
    assert small.rows("customers/detail", customer="a")[0]["label"] == "Ada"


def test_the_detail_of_a_real_customer_has_the_scores_of_all(retail):
    for row in retail.rows("customers/rfm", limit=3, **LONDON):
        detail = retail.rows("customers/detail", customer=row["customer_id"], **LONDON)[0]
        assert {name: detail[name] for name in row} == row


@pytest.mark.parametrize("wanted", ["csv", "parquet", "arrow"])
def test_lists_are_in_every_format(small, wanted):
    import io

    import pandas
    import pyarrow.ipc

    content = small.client.get(f"/v1/customers/detail?customer=a&format={wanted}").content
    if wanted == "csv":
        lists = pandas.read_csv(io.BytesIO(content)).favourite_products.map(json.loads)[0]
    elif wanted == "parquet":
        lists = pandas.read_parquet(io.BytesIO(content)).favourite_products[0]
    else:
        lists = pyarrow.ipc.open_stream(content).read_all().to_pylist()[0]["favourite_products"]
    assert [one["product_id"] for one in lists] == ["ink", "pen", "pad"]


def test_two_currencies_are_never_added_but_counted_together(tmp_path):
    web = web_of(tmp_path)
    rows = "1,2024-01-01,a,10,EUR\n2,2024-01-02,b,20,USD\n3,2024-01-03,b,5,USD\n"
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total,currency\n" + rows)
    for path in ("top", "detail?customer=a"):
        answer = web.client.get(f"/v1/customers/{path}")
        assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
        assert "EUR, USD" in answer.json()["detail"]
    assert web.rows("customers/repeat-rate")[0]["repeat_rate"] == "0.500000"
    assert [row["customer_id"] for row in web.rows("customers/top", currency="USD")] == ["b"]


def test_a_lake_without_orders_has_nobody(tmp_path):
    web = web_of(tmp_path)
    assert web.rows("customers/top") == []
    row = web.rows("customers/repeat-rate")[0]
    assert (row["customers"], row["repeat_rate"], row["mean_days_between"]) == (0, None, None)
    assert web.client.get("/v1/customers/detail?customer=a").status_code == 404


@pytest.mark.parametrize(
    "asked",
    ["top?by=luck", "top?customers=guest", "repeat-rate?up_to=-1", "repeat-rate?up_to=99999999", "detail?customer="],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(small, asked):
    answer = small.client.get(f"/v1/customers/{asked}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
