"""Sales questions on real shops, against figures that others computed: tests/data/expected says who and how."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.api_shop import client_of  # noqa: F401 - keeps the import of the API in one place
from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
EXPECTED = ROOT / "tests/data/expected"


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    outcome = web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    counts = outcome.counts
    assert (outcome.status, counts.received, counts.accepted, counts.held) == ("loaded", 541_909, 541_909, 0)
    return web


TOTALS = json.loads((EXPECTED / "online_retail/totals.json").read_text())["totals"]
SETS = {
    "gross": {},
    "gross_known": {"customers": "known"},
    "gross_product": {"kind": "goods"},
    "gross_known_product": {"kind": "goods", "customers": "known"},
}


@pytest.mark.parametrize("name", SETS)
def test_gross_sales_of_online_retail_are_the_published_ones(retail, name):
    row, expected = retail.rows("sales/summary", **SETS[name])[0], TOTALS[name]
    assert Decimal(row["gross_sales"]) == pytest.approx(Decimal(str(expected["revenue"])), abs=Decimal("0.01"))
    assert (row["orders"], row["customers"], row["units"]) == (
        expected["orders"],
        expected["customers"],
        expected["units"],
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("net", {}),
        ("net_known", {"customers": "known"}),
        ("net_product", {"kind": "goods"}),
        ("all", {"include": ["adjustments", "zero"]}),
    ],
)
def test_net_sales_of_online_retail_are_the_published_ones(retail, name, parameters):
    row = retail.rows("sales/summary", **parameters)[0]
    assert Decimal(row["net_sales"]) == pytest.approx(Decimal(str(TOTALS[name]["revenue"])), abs=Decimal("0.01"))


def test_average_order_value_is_gross_over_orders_where_returns_are_orders_of_their_own(retail):
    assert Decimal(retail.rows("sales/summary")[0]["aov"]) == pytest.approx(
        Decimal("533.875569"), abs=Decimal("0.0001")
    )


MONTHS = json.loads((EXPECTED / "online_retail/revenue_by_month.json").read_text())["by"]


@pytest.mark.parametrize(
    ("name", "column", "parameters"),
    [
        ("gross", "gross_sales", {}),
        ("net", "net_sales", {}),
        ("gross_known", "gross_sales", {"customers": "known"}),
        ("all", "net_sales", {"include": ["adjustments", "zero"]}),
    ],
)
def test_months_of_online_retail_are_the_published_ones(retail, name, column, parameters):
    rows = retail.rows("sales/by-period", grain="month", timezone="Europe/London", **parameters)
    got = {row["period"][:7]: Decimal(row[column]) for row in rows}
    expected = {month["key"]: Decimal(str(month["revenue"])) for month in MONTHS[name]}
    assert got.keys() == expected.keys()
    for month, revenue in expected.items():
        assert got[month] == pytest.approx(revenue, abs=Decimal("0.01"))
    if column == "gross_sales":
        assert [row["orders"] for row in rows] == [month["orders"] for month in MONTHS[name]]


def test_lines_and_rollup_give_the_same_sums(retail):
    by_country = retail.rows("sales/by", dimension="country", limit=100)
    by_product = retail.rows("sales/by", dimension="product", limit=5_000)
    for metric in ("gross_sales", "returns", "net_sales", "units"):
        summed = {sum(Decimal(row[metric]) for row in rows) for rows in (by_country, by_product)}
        assert summed == {Decimal(retail.rows("sales/summary")[0][metric])}


def test_periods_without_orders_are_there_with_zeros_unless_told_otherwise(retail):
    asked = {"grain": "day", "from": "2011-01-01", "to": "2011-02-01", "timezone": "Europe/London"}
    filled, bare = retail.rows("sales/by-period", **asked), retail.rows("sales/by-period", **asked, fill=False)
    assert len(filled) == 31
    assert len(bare) == 24  # counted in the file: no Saturdays, closed until 4 January
    assert all(row["net_sales"] == "0.0000" and row["orders"] == 0 for row in filled if row["period"] == "2011-01-01")


def test_a_period_beside_the_one_before_it(retail):
    rows = retail.rows("sales/by-period", grain="month", compare="previous_period", timezone="Europe/London")
    for before, row in pairwise(rows):
        assert row["net_sales_previous"] == before["net_sales"]
    year = retail.rows("sales/by-period", grain="month", compare="previous_year", timezone="Europe/London")
    assert year[-1]["net_sales_previous"] == year[0]["net_sales"]


def test_a_summary_beside_the_period_before(retail):
    asked = {"from": "2011-11-01", "to": "2011-12-01", "timezone": "Europe/London"}
    now = retail.rows("sales/summary", **asked, compare="previous_period")[0]
    before = retail.rows("sales/summary", **{**asked, "from": "2011-10-02", "to": "2011-11-01"})[0]
    assert now["net_sales_previous"] == before["net_sales"]
    change = Decimal(now["net_sales"]) / Decimal(before["net_sales"]) - 1
    assert Decimal(now["net_sales_change"]) == pytest.approx(change, abs=Decimal("0.000001"))


# --- the answer around the numbers -----------------------------------------------------------------------------------


def test_a_pinned_answer_has_the_same_bytes_after_later_uploads(tmp_path):
    web = web_of(tmp_path)
    header = "order_id,ordered_at,total,currency\n"
    snapshot = web.shop.upload("orders", "a.csv", header + "1,2024-01-01,10,EUR\n2,2024-02-01,20,EUR\n").snapshot_id
    paths = ["sales/summary", "sales/by-period?grain=month", "sales/by?dimension=country&format=csv"]
    pinned = [f"/v1/{path}{'&' if '?' in path else '?'}snapshot={snapshot}" for path in paths]
    before = [web.client.get(path).content for path in pinned]
    web.shop.upload("orders", "b.csv", header + "1,2024-01-01,99,EUR\n3,2024-03-01,30,EUR\n")
    web.fresh()
    assert [web.client.get(path).content for path in pinned] == before


def test_an_answer_that_the_caller_has_is_304(retail):
    first = retail.client.get("/v1/sales/summary")
    again = retail.client.get("/v1/sales/summary", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert retail.client.get("/v1/sales/summary?kind=goods").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("wanted", ["csv", "parquet", "arrow"])
def test_every_format_holds_the_same_rows(retail, wanted):
    import io

    import pandas
    import pyarrow.ipc

    rows = retail.rows("sales/by", dimension="country", limit=100)
    content = retail.client.get(f"/v1/sales/by?dimension=country&limit=100&format={wanted}").content
    if wanted == "csv":
        frame = pandas.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    elif wanted == "parquet":
        frame = pandas.read_parquet(io.BytesIO(content))
    else:
        frame = pyarrow.ipc.open_stream(content).read_all().to_pandas()
    assert [str(value) for value in frame["net_sales"]] == [row["net_sales"] for row in rows]
    assert list(frame["value"]) == [row["value"] for row in rows]


def test_pages_are_pinned_to_their_snapshot_and_add_up(retail):
    whole = retail.rows("sales/by", dimension="country", limit=100)
    rows, path = [], "/v1/sales/by?dimension=country&limit=15"
    while path:
        body = retail.client.get(path).json()
        rows += body["rows"]
        path = f"/v1/sales/by?dimension=country&limit=15&cursor={body['next']}" if body["next"] else ""
    assert rows == whole


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("sales/summary?timezone=Mars/Base", 422, "invalid_timezone"),
        ("sales/summary?from=yesterday", 422, "invalid_parameter"),
        ("sales/summary?from=2011-02-01&to=2011-01-01", 422, "invalid_parameter"),
        ("sales/summary?colour=red", 422, "invalid_parameter"),
        ("sales/by", 422, "invalid_parameter"),
        ("sales/by?dimension=planet", 422, "invalid_parameter"),
        ("sales/by?dimension=country&limit=1000000", 422, "page_too_large"),
        ("sales/by?dimension=country&cursor=forged", 400, "invalid_cursor"),
        ("sales/summary?snapshot=999", 404, "snapshot_not_found"),
        ("sales/nothing", 404, "not_found"),
    ],
)
def test_bad_questions_get_a_problem_with_a_stable_code(retail, path, status, code):
    answer = retail.client.get(f"/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_two_currencies_are_never_added(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "a.csv", "order_id,ordered_at,total,currency\n1,2024-01-01,10,EUR\n2,2024-01-02,20,USD\n")
    web.fresh()
    answer = web.client.get("/v1/sales/summary")
    assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    assert web.rows("sales/summary", currency="usd")[0]["net_sales"] == "20.0000"


def test_an_empty_lake_answers_with_zeros(tmp_path):
    web = web_of(tmp_path)
    assert web.rows("sales/summary")[0]["net_sales"] == "0.0000"
    assert web.rows("sales/by-period") == []
    assert web.rows("sales/by", dimension="product") == []


def test_the_discounts_taxes_and_shipping_of_an_order_are_where_the_definition_says(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload(
        "orders",
        "o.csv",
        "order_id,ordered_at,customer_id,discount,tax,shipping,status\n"
        "1,2024-01-01,a,5,3,4,completed\n2,2024-01-02,,0,0,0,completed\n3,2024-01-03,b,0,9,9,cancelled\n",
    )
    web.shop.upload(
        "order_items",
        "i.csv",
        "order_id,product_id,quantity,unit_price,discount\n"
        "1,p,2,10,1\n1,q,-1,6,0\n2,p,1,10,0\n2,fee,1,2,0\n3,p,9,10,0\n",
    )
    web.shop.upload("products", "p.csv", "product_id,name,kind\np,Pen,goods\nfee,Packing,fee\n")
    web.fresh()
    row = web.rows("sales/summary")[0]
    # by hand: gross 20 + 10 + 2; discounts 1 + 5; returns -6; order 3 was cancelled
    amounts = ("gross_sales", "discounts", "returns", "net_sales", "tax", "shipping")
    assert {name: Decimal(row[name]) for name in amounts} == {
        "gross_sales": 32, "discounts": 6, "returns": -6, "net_sales": 20, "tax": 3, "shipping": 4,
    }  # fmt: skip
    assert (row["orders"], row["customers"], row["units"], row["aov"]) == (2, 1, 4, "10.0000")
    assert Decimal(web.rows("sales/summary", kind="goods")[0]["gross_sales"]) == 30
