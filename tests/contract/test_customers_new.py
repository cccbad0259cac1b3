"""New and returning customers: real ones as pandas found them (tests/oracles/new_vs_returning.py), and by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
ORACLE = json.loads((ROOT / "tests/oracles/new_vs_returning.json").read_text())
COUNTS = ("new_customers", "new_orders", "returning_customers", "returning_orders", "guest_orders")
AMOUNTS = ("new_net_sales", "returning_net_sales", "guest_net_sales")


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


@pytest.mark.parametrize("rule", ["customer", "order"])
@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter"])
def test_new_and_returning_customers_of_online_retail_are_those_of_pandas(retail, rule, grain):
    rows = retail.rows("sales/new-vs-returning", rule=rule, grain=grain, fill=False, timezone="Europe/London")
    expected = ORACLE[f"{rule} {grain}"]
    assert [row["period"] for row in rows] == list(expected)
    for row in rows:
        one = expected[row["period"]]
        counts = [one[place] for place in (0, 1, 3, 4, 6)]
        assert [row[name] for name in COUNTS] == counts, row["period"]
        assert [Decimal(row[name]) for name in AMOUNTS] == [Decimal(one[place]) / 1000 for place in (2, 5, 7)]
        who = counts[0] + counts[2]
        rate = None if who == 0 else float(row["returning_rate"])
        assert rate == (None if who == 0 else pytest.approx(counts[2] / who, abs=1e-6))


@pytest.mark.parametrize("rule", ["customer", "order"])
@pytest.mark.parametrize("asked", [{}, {"from": "2011-03-15", "to": "2011-06-02"}, {"country": ["France"]}])
def test_all_three_together_are_the_sales_of_the_period(retail, rule, asked):
    asked = {**asked, "grain": "month", "timezone": "Europe/London"}
    whole = retail.rows("sales/by-period", **asked)
    rows = retail.rows("sales/new-vs-returning", rule=rule, **asked)
    assert len(rows) == len(whole)
    for row, sales in zip(rows, whole, strict=True):
        assert sum(Decimal(row[name]) for name in AMOUNTS) == Decimal(sales["net_sales"])
        assert row["new_orders"] + row["returning_orders"] + row["guest_orders"] == sales["orders"]
        if rule == "customer":
            assert row["new_customers"] + row["returning_customers"] == sales["customers"]
        assert (row["period"], row["complete"]) == (sales["period"], sales["complete"])


ORDERS = """order_id,ordered_at,customer_id,total,currency,status
1,2024-01-05T12:00:00Z,a,10,EUR,completed
2,2024-01-20T12:00:00Z,a,20,EUR,completed
3,2024-01-25T12:00:00Z,a,-4,EUR,completed
4,2024-03-05T12:00:00Z,a,1,EUR,completed
5,2024-03-06T12:00:00Z,b,2,EUR,completed
6,2024-01-02T12:00:00Z,b,-1,EUR,completed
7,2024-03-07T12:00:00Z,,50,EUR,completed
8,2024-01-01T12:00:00Z,c,70,EUR,cancelled
9,2024-03-08T12:00:00Z,c,8,EUR,completed
10,2024-03-31T22:30:00Z,d,3,EUR,completed
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("small"))
    web.shop.upload("orders", "o.csv", ORDERS)
    return web


def told(web: Web, **asked: object) -> dict[str, tuple[object, ...]]:
    rows = web.rows("sales/new-vs-returning", **asked)
    return {
        row["period"][:7]: (*(row[name] for name in COUNTS), *(int(Decimal(row[name])) for name in AMOUNTS))
        for row in rows
    }


def test_a_customer_is_new_for_the_whole_period_of_the_first_order(small):
    # January: a ordered twice and sent something back; b gave back what was bought before the data begins. The
    # cancelled order of c is none, so c is new in March; the guest is nobody.
    assert told(small) == {
        "2024-01": (1, 2, 0, 0, 0, 26, -1, 0),
        "2024-02": (0, 0, 0, 0, 0, 0, 0, 0),
        "2024-03": (3, 3, 1, 1, 1, 13, 1, 50),
    }


def test_or_only_the_first_order_is_new(small):
    assert told(small, rule="order") == {
        "2024-01": (1, 1, 1, 1, 0, 10, 15, 0),
        "2024-02": (0, 0, 0, 0, 0, 0, 0, 0),
        "2024-03": (3, 3, 1, 1, 1, 13, 1, 50),
    }


def test_a_range_that_begins_later_makes_nobody_new(small):
    assert told(small, **{"from": "2024-01-10", "to": "2024-02-01"}) == {"2024-01": (1, 1, 0, 0, 0, 16, 0, 0)}
    assert told(small, rule="order", **{"from": "2024-01-10", "to": "2024-02-01"}) == {
        "2024-01": (0, 0, 1, 1, 0, 0, 16, 0)
    }
    assert told(small, **{"from": "2024-03-01", "to": "2024-04-01"})["2024-03"][:4] == (3, 3, 1, 1)


def test_periods_are_those_of_the_asked_time_zone_and_bare_ones_can_be_left_out(small):
    asked = {"timezone": "Europe/Berlin", "fill": False}
    assert told(small, **asked) == {
        "2024-01": (1, 2, 0, 0, 0, 26, -1, 0),
        "2024-03": (2, 2, 1, 1, 1, 10, 1, 50),
        "2024-04": (1, 1, 0, 0, 0, 3, 0, 0),
    }


def test_a_day_that_never_was_is_no_period(small):
    asked = {"grain": "day", "from": "2011-12-29", "to": "2012-01-01", "timezone": "Pacific/Apia"}
    rows = small.rows("sales/new-vs-returning", **asked)
    assert [row["period"] for row in rows] == ["2011-12-29", "2011-12-31"]


def test_a_lake_without_orders_has_no_periods_and_two_currencies_are_never_added(tmp_path):
    web = web_of(tmp_path)
    assert web.rows("sales/new-vs-returning") == []
    rows = "1,2024-01-01,a,10,EUR\n2,2024-01-02,,20,USD\n"
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total,currency\n" + rows)
    web.fresh()
    answer = web.client.get("/v1/sales/new-vs-returning")
    assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    assert told(web, currency="EUR")["2024-01"] == (1, 1, 0, 0, 0, 10, 0, 0)


@pytest.mark.parametrize("asked", ["rule=line", "grain=hour", "customers=known", "grain=day&from=0001-01-01"])
def test_what_cannot_be_asked_is_refused_with_a_reason(small, asked):
    answer = small.client.get(f"/v1/sales/new-vs-returning?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
