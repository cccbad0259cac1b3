"""The rollup of orders is kept in the same commit as its facts, in whatever order they come."""

from __future__ import annotations

import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.shop import shop_in

ORDERS = "order_id,ordered_at,total,discount\n"
LINES = "order_id,line_id,quantity,unit_price\n"


@pytest.fixture
def shop(tmp_path):
    return shop_in(tmp_path)


def totals(shop) -> dict[str, tuple[Decimal, Decimal]]:
    return {key: rest for key, *rest in shop.rows("SELECT order_id, gross_sales, discounts FROM teal.order_totals")}


def test_lines_count_once_their_order_is_there(shop):
    shop.upload("order_items", "1.csv", LINES + "a,1,2,3\nb,1,1,10\nz,1,1,1\n")
    assert totals(shop) == {}
    shop.upload("orders", "1.csv", ORDERS + "a,2024-01-01,99,1\nc,2024-01-01,7,0\n")
    assert totals(shop) == {"a": [6, 1], "c": [7, 0]}
    shop.upload("orders", "2.csv", ORDERS + "b,2024-01-02,99,0\n")
    shop.upload("order_items", "2.csv", LINES + "a,2,1,4\nc,1,1,5\n")
    assert totals(shop) == {"a": [10, 1], "b": [10, 0], "c": [5, 0]}


def test_lines_and_orders_that_go_leave_the_totals(shop):
    shop.upload("orders", "1.csv", ORDERS + "a,2024-01-01,99,0\nb,2024-01-01,5,0\n")
    shop.upload("order_items", "1.csv", LINES + "a,1,2,3\na,2,1,4\n")
    shop.upload("order_items", "2.csv", LINES.replace("\n", ",_deleted\n") + "a,1,2,3,true\n")
    assert totals(shop) == {"a": [4, 0], "b": [5, 0]}
    shop.upload("orders", "2.csv", ORDERS.replace("\n", ",_deleted\n") + "b,2024-01-01,5,0,true\n")
    assert totals(shop) == {"a": [4, 0]}


def test_an_order_that_comes_to_more_than_a_decimal_holds_is_put_aside(shop):
    outcome = shop.upload("orders", "1.csv", ORDERS + "a,2024-01-01,99999999999999,99999999999999\n")
    assert (outcome.status, outcome.reason_code, outcome.counts.held) == ("held", "amount_too_large", 1)
    assert shop.upload("orders", "2.csv", ORDERS + "b,2024-01-01,1,0\n").status == "loaded"
    assert totals(shop) == {"b": [1, 0]}


def test_a_key_with_a_nul_in_parquet_is_a_key_without(shop):
    def parquet(**columns: list[str]) -> bytes:
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        return out.getvalue()

    shop.upload("orders", "1.parquet", parquet(order_id=["x\0y"], ordered_at=["2024-01-01"], total=["5"]))
    lines = parquet(order_id=["x\0y"], line_id=["1"], quantity=["1"], unit_price=["3"])
    assert shop.upload("order_items", "1.parquet", lines).status == "loaded"
    assert totals(shop) == {"xy": [3, 0]}
