"""Hours of the week and returns: Online Retail as pandas counts it, and small shops counted in plain Python."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
ORACLE = json.loads((ROOT / "tests/oracles/heatmap_returns.json").read_text())


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


def mills(amount: str) -> int:
    return int(Decimal(amount) * 1000)


def test_the_hours_of_the_week_of_online_retail_are_those_that_pandas_counts(retail):
    rows = retail.rows("sales/heatmap", timezone="Europe/London")
    assert [(row["weekday"], row["hour"]) for row in rows] == [(day, hour) for day in range(1, 8) for hour in range(24)]
    assert [[mills(row["net_sales"]), row["orders"], row["customers"]] for row in rows] == ORACLE["heatmap"]


def test_the_cells_add_up_to_the_summary_also_by_product(retail):
    for asked in ({}, {"customers": "known", "country": "Germany"}, {"product": "22423"}):
        cells = retail.rows("sales/heatmap", timezone="Asia/Tokyo", **asked)
        whole = retail.rows("sales/summary", **asked)[0]
        assert sum(Decimal(cell["net_sales"]) for cell in cells) == Decimal(whole["net_sales"])
        assert sum(cell["orders"] for cell in cells) == whole["orders"]


def test_a_map_beside_that_of_the_weeks_before(retail):
    asked = {"timezone": "Europe/London"}
    now = retail.rows("sales/heatmap", **asked, **{"from": "2011-11-14", "to": "2011-11-28"}, compare="previous_period")
    before = retail.rows("sales/heatmap", **asked, **{"from": "2011-10-31", "to": "2011-11-14"})
    assert [row["net_sales_previous"] for row in now] == [row["net_sales"] for row in before]
    assert [row["orders_previous"] for row in now] == [row["orders"] for row in before]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"])
def test_cells_are_of_the_clock_on_the_wall_also_when_it_changes(tmp_path, zone):
    random, web, lines = Random(zone), web_of(tmp_path), ["order_id,ordered_at,customer_id,total"]
    expected: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    # A year around both changes, and years before 1970.
    for number in range(400):
        begin = datetime(2024 if number % 8 else 1968, 3, 1, tzinfo=UTC)
        at = begin + timedelta(minutes=random.randrange(60 * 24 * 280))
        total = random.randrange(1, 10_000)
        lines.append(f"{number},{at.isoformat()},c,{total / 100}")
        local = at.astimezone(ZoneInfo(zone))
        cell = expected[local.isoweekday(), local.hour]
        cell[0] += total
        cell[1] += 1
    web.shop.upload("orders", "o.csv", "\n".join(lines) + "\n")
    rows = web.rows("sales/heatmap", timezone=zone)
    assert len(rows) == 168
    got = {(row["weekday"], row["hour"]): [mills(row["net_sales"]) // 10, row["orders"]] for row in rows}
    assert {cell: values for cell, values in got.items() if values != [0, 0]} == expected


def test_a_shop_without_orders_has_a_map_of_zeros(tmp_path):
    rows = web_of(tmp_path).rows("sales/heatmap")
    assert len(rows) == 168
    assert {(row["net_sales"], row["orders"], row["aov"]) for row in rows} == {("0.0000", 0, None)}


def returned(row: dict[str, Any]) -> list[int]:
    return [row["orders"], row["units"], row["returned_units"], mills(row["gross_sales"]), mills(row["returns"])]


@pytest.mark.parametrize("zone", ["Europe/London", "UTC"])
def test_returns_of_online_retail_by_month_are_those_that_pandas_counts(retail, zone):
    # The rollup of days knows UTC; the shop never sold at midnight, so both have the same months.
    rows = retail.rows("sales/returns", grain="month", timezone=zone)
    assert {row["period"]: returned(row) for row in rows} == ORACLE["months"]
    for row in rows:
        rate = Decimal(row["returned_units"]) / row["units"]
        assert abs(Decimal(row["return_rate"]) - rate) <= Decimal("0.0000005")
        share = -Decimal(row["returns"]) / Decimal(row["gross_sales"])
        assert abs(Decimal(row["returned_share"]) - share) <= Decimal("0.0000005")


def test_the_products_with_the_largest_returns_are_those_that_pandas_finds(retail):
    rows = retail.rows("sales/returns", dimension="product", limit=len(ORACLE["products"]))
    assert {row["value"]: returned(row) for row in rows} == ORACLE["products"]
    assert [row["value"] for row in rows] == list(ORACLE["products"])
    assert rows[0]["label"]


def test_equal_returns_are_in_the_order_of_their_products(retail):
    rows = retail.rows("sales/returns", dimension="product", limit=5_000)
    assert rows == sorted(rows, key=lambda row: (Decimal(row["returns"]), row["value"]))


def test_returns_of_a_range_are_the_sum_of_its_periods_and_countries(retail):
    asked = {"from": "2011-03-01", "to": "2011-06-01"}
    whole = retail.rows("sales/returns", **asked)
    assert len(whole) == 1
    assert (whole[0]["value"], whole[0]["period"]) == (None, None)
    both = retail.rows("sales/returns", **asked, dimension="country", grain="week")
    assert [row["period"] for row in both] == sorted(row["period"] for row in both)
    for rows in (retail.rows("sales/returns", **asked, grain="day"), both):
        for name in ("returned_units", "units", "gross_sales", "returns"):
            assert sum(Decimal(row[name]) for row in rows) == Decimal(whole[0][name])


def test_refunds_and_returns_worked_by_hand(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload(
        "orders",
        "o.csv",
        "order_id,ordered_at,customer_id,currency,discount,refunded\n1,2024-01-01,a,EUR,2,\n2,2024-01-05,a,EUR,,3\n"
        "3,2024-02-01,a,EUR,,\n",
    )
    web.shop.upload(
        "order_items",
        "i.csv",
        "order_id,line_id,product_id,quantity,unit_price,line_type\n1,1,p,4,10,sale\n2,1,q,1,20,sale\n3,1,p,-1,10,return\n",
    )
    row = web.rows("sales/returns")[0]
    # 60 sold less 2 given off; 10 came back as a piece, 3 as money.
    assert (row["gross_sales"], row["discounts"], row["returns"]) == ("60.0000", "2.0000", "-13.0000")
    assert (row["units"], row["returned_units"], row["return_rate"]) == (5, 1, "0.200000")
    assert row["returned_share"] == "0.224138"
    products = web.rows("sales/returns", dimension="product")
    assert [(one["value"], one["returns"], one["returned_share"]) for one in products] == [
        ("p", "-10.0000", "0.250000"), ("q", "0.0000", "0.000000"),
    ]  # fmt: skip
    february = web.rows("sales/returns", grain="month")[1]
    assert (february["orders"], february["returned_units"], february["return_rate"]) == (0, 1, None)
    assert february["returned_share"] is None


def test_returns_in_several_currencies_are_refused(tmp_path):
    web = web_of(tmp_path)
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,total,currency\n1,2024-01-01,-5,EUR\n2,2024-01-01,-5,USD\n")
    for question in ("sales/returns", "sales/heatmap"):
        assert web.client.get(f"/v1/{question}").json()["code"] == "mixed_currencies"
    assert web.rows("sales/returns", currency="EUR")[0]["returns"] == "-5.0000"
