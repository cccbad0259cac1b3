"""Cohorts: real ones as pandas found them (tests/oracles/cohorts.py), and small ones worked out by hand."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
ORACLE = json.loads((ROOT / "tests/oracles/cohorts.json").read_text())
LAST_COMPLETE = {"week": date(2011, 12, 4), "month": date(2011, 11, 30), "quarter": date(2011, 9, 30)}
"""The sample ends on Friday 9 December 2011."""


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


def last_day(grain: str, first: date, offset: int) -> date:
    if grain == "week":
        return date.fromordinal(first.toordinal() + 7 * offset + 6)
    months = first.year * 12 + first.month - 1 + (offset + 1) * (1 if grain == "month" else 3)
    return date.fromordinal(date(months // 12, months % 12 + 1, 1).toordinal() - 1)


@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
@pytest.mark.parametrize("metric", ["retention", "unbounded", "orders", "net_sales", "ltv"])
def test_cohorts_of_online_retail_are_those_of_pandas(retail, grain, metric):
    asked = {"metric": "retention", "type": "unbounded"} if metric == "unbounded" else {"metric": metric}
    rows = retail.rows("customers/cohorts", grain=grain, timezone="Europe/London", **asked)
    expected = []
    for cohort, offsets in ORACLE[grain].items():
        size, so_far = offsets[0][0], 0
        for offset, (active, staying, orders, net) in enumerate(offsets):
            so_far += net
            cell = {
                "retention": Decimal(active) / size,
                "unbounded": Decimal(staying) / size,
                "orders": Decimal(orders),
                "net_sales": Decimal(net) / 1000,
                "ltv": Decimal(so_far) / 1000 / size,
            }[metric]
            is_over = last_day(grain, date.fromisoformat(cohort), offset) <= LAST_COMPLETE[grain]
            customers = staying if metric == "unbounded" else active
            expected.append((cohort, offset, size, customers, orders, cell if is_over else None))
    named = ("cohort", "offset", "size", "customers", "orders")
    assert [tuple(row[name] for name in named) for row in rows] == [one[:5] for one in expected]
    for row, (*_, cell) in zip(rows, expected, strict=True):
        assert (row["cell"] is None) == (cell is None)
        if cell is not None:
            assert Decimal(row["cell"]) == pytest.approx(cell, abs=Decimal("0.000001"))


def test_customers_of_all_cohorts_are_all_customers(retail):
    rows = retail.rows("customers/cohorts", periods=0)
    assert sum(row["size"] for row in rows) == 4_338
    assert {row["offset"] for row in rows} == {0}


# --- by hand ---------------------------------------------------------------------------------------------------------

ORDERS = """order_id,ordered_at,customer_id,total,currency,status
1,2024-01-10T12:00:00Z,a,10,EUR,completed
2,2024-03-05T12:00:00Z,a,20,EUR,completed
3,2024-01-20T12:00:00Z,b,30,EUR,completed
4,2024-02-29T23:30:00Z,c,40,EUR,completed
5,2024-03-20T12:00:00Z,c,5,EUR,completed
6,2024-03-21T12:00:00Z,b,-6,EUR,completed
7,2024-01-01T12:00:00Z,c,-1,EUR,completed
8,2024-01-02T12:00:00Z,,99,USD,completed
9,2024-01-03T12:00:00Z,d,50,EUR,cancelled
10,2024-01-04T12:00:00Z,e,-50,EUR,completed
"""
# a: January, March. b: January, a return in March. c: the last half hour of February by UTC, March. The return of c
# lies before its first order; 8 is a guest's in another currency; d only cancelled; e only returned.


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("small"))
    web.shop.upload("orders", "o.csv", ORDERS)
    return web


def cells(web: Web, **asked: object) -> dict[tuple[str, int], str | None]:
    rows = web.rows("customers/cohorts", **asked)
    return {(row["cohort"][:7], row["offset"]): row["cell"] and str(Decimal(row["cell"]).normalize()) for row in rows}


def test_a_period_that_is_not_over_has_no_cell_and_one_without_orders_has_zero(small):
    # the data ends with 21 March: March is not over
    assert cells(small) == {
        ("2024-01", 0): "1", ("2024-01", 1): "0", ("2024-01", 2): None, ("2024-02", 0): "1", ("2024-02", 1): None,
    }  # fmt: skip
    assert cells(small, to="2024-04-01") == {
        ("2024-01", 0): "1", ("2024-01", 1): "0", ("2024-01", 2): "0.5", ("2024-02", 0): "1", ("2024-02", 1): "1",
    }  # fmt: skip
    assert cells(small, to="2024-05-01")[("2024-01", 3)] == "0"
    assert cells(small, to="2024-03-31T23:59:59.999999Z")[("2024-01", 2)] is None


def test_what_happened_so_far_in_a_period_that_is_not_over_is_told_beside_the_empty_cell(small):
    last = small.rows("customers/cohorts")[2]
    assert last == {
        "cohort": "2024-01-01", "offset": 2, "size": 2, "customers": 1, "orders": 1, "cell": None,
    }  # fmt: skip
    assert small.client.get("/v1/customers/cohorts").json()["until"] == "2024-03-22T00:00:00+00:00"


def test_unbounded_retention_counts_who_comes_back_then_or_later(small):
    assert cells(small, type="unbounded", to="2024-04-01") == {
        ("2024-01", 0): "1", ("2024-01", 1): "0.5", ("2024-01", 2): "0.5", ("2024-02", 0): "1", ("2024-02", 1): "1",
    }  # fmt: skip


def test_net_sales_hold_the_returns_and_ltv_adds_up_per_customer(small):
    assert cells(small, metric="net_sales", to="2024-04-01") == {
        ("2024-01", 0): "4E+1", ("2024-01", 1): "0", ("2024-01", 2): "14", ("2024-02", 0): "4E+1", ("2024-02", 1): "5",
    }  # fmt: skip
    assert cells(small, metric="ltv", to="2024-04-01") == {
        ("2024-01", 0): "2E+1", ("2024-01", 1): "2E+1", ("2024-01", 2): "27", ("2024-02", 0): "4E+1",
        ("2024-02", 1): "45",
    }  # fmt: skip
    assert cells(small, metric="orders", to="2024-04-01")[("2024-01", 2)] == "1"


def test_the_period_of_an_order_is_that_of_the_asked_time_zone(small):
    # half past eleven in the evening of 29 February is March in Berlin
    assert cells(small, timezone="Europe/Berlin", to="2024-04-01") == {
        ("2024-01", 0): "1", ("2024-01", 1): "0", ("2024-01", 2): "0.5", ("2024-03", 0): "1",
    }  # fmt: skip


def test_from_leaves_out_earlier_cohorts_but_makes_nobody_new(small):
    assert cells(small, **{"from": "2024-02-01", "to": "2024-04-01"}) == {("2024-02", 0): "1", ("2024-02", 1): "1"}
    assert cells(small, **{"from": "2024-03-01", "to": "2024-04-01"}) == {}


def test_currencies_are_counted_together_but_never_added(tmp_path):
    web = web_of(tmp_path)
    rows = "1,2024-01-01,a,10,EUR\n2,2024-01-02,b,20,USD\n"
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total,currency\n" + rows)
    assert web.rows("customers/cohorts")[0]["size"] == 2
    for metric in ("net_sales", "ltv"):
        answer = web.client.get(f"/v1/customers/cohorts?metric={metric}")
        assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    assert cells(web, metric="ltv", currency="EUR", to="2024-02-01") == {("2024-01", 0): "1E+1"}


def test_cohorts_of_a_lake_without_orders_are_none(tmp_path):
    assert web_of(tmp_path).rows("customers/cohorts", metric="ltv") == []


@pytest.mark.parametrize(
    "asked",
    [
        "metric=ltv&type=unbounded",
        "grain=day",
        "periods=-1",
        "grain=week&to=9000-01-01",
        "customers=guest",
        "product=p",
    ],
)
def test_what_cannot_be_asked_of_cohorts_is_refused_with_a_reason(small, asked):
    answer = small.client.get(f"/v1/customers/cohorts?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
