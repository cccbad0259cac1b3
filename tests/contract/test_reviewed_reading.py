"""What one file says is read one way: signs, types, deletions and digits are what the sender wrote."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from shared.sources.known import sources
from tests.shop import Shop, shop_in

ROOT = Path(__file__).parent.parent.parent
ORDERS = "order_id,ordered_at,total,updated_at\n"
LINES = "order_id,line_id,product_id,quantity,unit_price,line_type\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_in(tmp_path)


# --- signs and decimal commas ----------------------------------------------------------------------------------------


def test_the_type_of_a_line_follows_from_the_number_however_it_is_written(shop):
    shop.upload("orders", "o.csv", "order_id,ordered_at\nF1,2024-01-01\n")
    body = 'order_id,product_id,quantity,unit_price\nF1,P1,"-1,000",2.50\nF1,P2,(3),2.50\nF1,P3,1,$0.00\nF1,P4,10,1\n'
    assert shop.upload("order_items", "l.csv", body).counts.held == 0
    types = shop.rows("SELECT product_id, line_type FROM order_items ORDER BY 1")
    assert types == [("P1", "return"), ("P2", "return"), ("P3", "zero"), ("P4", "sale")]
    # by hand: 10 x 1 sold, 1,000 x 2.50 and 3 x 2.50 back
    totals = shop.rows("SELECT gross_sales, returns FROM teal.order_totals")
    assert totals == [(Decimal("10"), Decimal("-2507.50"))]


def test_the_type_of_a_line_in_a_file_of_decimal_commas(shop):
    body = "order_id;product_id;quantity;unit_price\nF1;P1;-1;2,50\nF1;P2;2;0,00\nF1;P3;2;-1,50\nF1;P4;2;1.234,50\n"
    shop.upload("order_items", "l.csv", body)
    rows = shop.rows("SELECT product_id, line_type, unit_price FROM order_items ORDER BY 1")
    prices = [Decimal("2.50"), Decimal("0"), Decimal("-1.50"), Decimal("1234.50")]
    assert rows == list(zip(["P1", "P2", "P3", "P4"], ["return", "zero", "adjustment", "sale"], prices, strict=True))


FILES = [
    "tests/data/sources/shopify_orders.csv",
    "tests/data/sources/woocommerce_orders.csv",
    "samples/by_day/2010-12-01.csv.gz",
    "samples/chinook/*",
    "samples/northwind/*",
]


def table_of(file: Path) -> list[list[str]]:
    if file.suffix == ".parquet":
        found = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM '{file}'")
        return [found.columns, *([cell or "" for cell in row] for row in found.fetchall())]
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def with_commas(table: list[list[str]]) -> str:
    header, *rows = table
    fitting = [source for source in sources() if source.shape_for(header)]
    shape = fitting[0].shape_for(header)
    bound = shape.bind(header)
    numbers = {
        header.index(name) for column, name in bound.items() if shape.rename.get(column, column) in fitting[0].numbers
    }
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    for row in rows:
        writer.writerow([cell.replace(".", ",") if place in numbers else cell for place, cell in enumerate(row)])
    return out.getvalue()


@pytest.mark.parametrize("pattern", FILES)
def test_a_known_file_with_decimal_commas_says_the_same(tmp_path, pattern):
    dots, commas = shop_in(tmp_path / "dots"), shop_in(tmp_path / "commas")
    for file in sorted(ROOT.glob(pattern)):
        outcome = dots.upload("auto", file.name, file)
        other = commas.upload("auto", file.name.split(".")[0] + ".csv", with_commas(table_of(file)))
        assert (other.status, other.counts.accepted, other.counts.held) == (
            outcome.status,
            outcome.counts.accepted,
            outcome.counts.held,
        ), (other, outcome)
    for table in ("order_items", "orders", "products", "teal.order_totals"):
        question = f"SELECT * FROM {table} ORDER BY ALL"
        assert commas.rows(question) == dots.rows(question)


def test_a_point_is_no_decimal_sign_in_a_known_file_of_commas(shop):
    body = "Order ID;Order Date;Qty;Price\n1;2024-01-13;1;3,50\n2;2024-01-13;1;2,25\n3;2024-01-13;1;1.5\n"
    outcome = shop.upload("auto", "l.csv", body)
    assert (outcome.counts.accepted, outcome.counts.held) == (2, 1)


# --- lines without an id or a type -----------------------------------------------------------------------------------


def test_empty_cells_of_line_id_and_line_type_are_derived(shop):
    shop.upload("order_items", "l.csv", LINES + "1,a,P1,1,2,sale\n1,,P2,-1,2,\n1,c,P3,1,0, \n")
    rows = shop.rows("SELECT line_id, line_type FROM order_items ORDER BY product_id")
    assert rows == [("a", "sale"), ("P2", "return"), ("c", "zero")]


def test_a_line_of_json_without_a_type_is_derived(shop):
    shop.upload(
        "order_items", "l.json", json.dumps([{"order_id": "1", "line_id": "a", "quantity": 2, "unit_price": 3}])
    )
    row = {"order_id": "1", "line_id": "b", "quantity": -2, "unit_price": 3, "line_type": None}
    shop.upload("order_items", "m.json", json.dumps([row]))
    assert shop.rows("SELECT line_id, line_type FROM order_items ORDER BY 1") == [("a", "sale"), ("b", "return")]


# --- deletions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["orders", "auto"])
@pytest.mark.parametrize("header", ["_deleted", "_Deleted", "_DELETED"])
def test_a_key_is_enough_to_delete(shop, dataset, header):
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,10,\n2,2024-01-01,10,\n")
    outcome = shop.upload(dataset, "b.csv", f"order_id,{header}\n1,true\n")
    assert (outcome.status, outcome.counts.accepted) == ("loaded", 1), outcome
    assert shop.rows("SELECT order_id FROM orders") == [("2",)]


def test_neither_yes_nor_no_holds_the_row(shop):
    body = "order_id,ordered_at,_deleted\n1,2024-01-01,maybe\n2,2024-01-01,no\n3,2024-01-01,\n"
    outcome = shop.upload("orders", "a.csv", body)
    assert (outcome.counts.accepted, outcome.counts.held) == (2, 1)
    assert shop.rows("SELECT order_id FROM orders ORDER BY 1") == [("2",), ("3",)]


def test_a_delete_of_no_time_is_not_undone_by_an_older_row(shop):
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,10,2024-02-02\n")
    shop.upload("orders", "b.csv", "order_id,_deleted\n1,true\n")
    shop.upload("orders", "c.csv", ORDERS + "1,2024-01-01,9,2024-02-01\n")
    assert shop.rows("SELECT order_id FROM orders") == []
    shop.upload("orders", "d.csv", ORDERS + "1,2024-01-01,11,2024-02-03\n")
    assert shop.rows("SELECT total FROM orders") == [(Decimal("11"),)]


def test_a_row_of_no_time_leaves_the_time_it_meets(shop):
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,10,2024-02-02\n")
    shop.upload("orders", "b.csv", ORDERS + "1,2024-01-01,12,\n")
    shop.upload("orders", "c.csv", ORDERS + "1,2024-01-01,9,2024-02-01\n")
    rows = shop.rows("SELECT total, updated_at = TIMESTAMPTZ '2024-02-02 00:00:00+00' FROM orders")
    assert rows == [(Decimal("12"), True)]


def test_a_table_of_its_own_has_no_column_for_deletions(shop):
    shop.upload("things", "a.csv", "id,name,_Deleted\n1,a,\n2,b,\n")
    shop.upload("things", "b.csv", "id,_deleted\n1,true\n")
    assert shop.rows("SELECT * FROM things") == [("2", "b")] or shop.rows("SELECT * FROM things") == [(2, "b")]


# --- digits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1.5", "-2"], "DOUBLE"),
        (["0.30000000000000004"], "DOUBLE"),
        (["12345678901234567890"], "VARCHAR"),
        (["1.123456789012345678"], "VARCHAR"),
        (["+49170123456"], "VARCHAR"),
        (["+7"], "VARCHAR"),
        (["12e34"], "VARCHAR"),
        (["999999999999999999"], "BIGINT"),
        (["7"], "INTEGER"),
    ],
)
def test_an_inferred_type_loses_no_digit(shop, texts, kind):
    shop.upload("things", "a.csv", "id,code\n" + "".join(f"k{n},{text}\n" for n, text in enumerate(texts)))
    assert shop.rows("SELECT DISTINCT typeof(code) FROM things") == [(kind,)]


def test_exact_numbers_of_parquet_stay_exact(shop, tmp_path):
    file = tmp_path / "n.parquet"
    duckdb.sql(
        "COPY (SELECT 'k' AS id, 18446744073709551615::UBIGINT AS big, 12345678901234567.89::DECIMAL(20,2) AS exact, "
        f"0.1::DOUBLE + 0.2::DOUBLE AS inexact) TO '{file}'"
    )
    shop.upload("things", "n.parquet", file)
    rows = shop.rows("SELECT big, exact, inexact FROM things")
    assert rows == [("18446744073709551615", "12345678901234567.89", 0.1 + 0.2)]
