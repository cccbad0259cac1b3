"""Money has four decimals: a value that has more is rounded, and its file's notes say where and how many."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.shop import Shop, shop_in

HEADER = "order_id,ordered_at,total,tax\n"
MANY = 10_000
"""More rows than are in the sample that is looked at first."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_in(tmp_path)


def rounding(shop: Shop, dataset: str, name: str, body: str | bytes) -> list[str]:
    """The notes on rounding of a file that is loaded whole."""
    outcome = shop.upload(dataset, name, body)
    assert (outcome.status, outcome.counts.held) == ("loaded", 0)
    (notes,) = shop.rows("SELECT notes FROM teal.uploads WHERE upload_id = $id", {"id": outcome.upload_id})[0]
    return [note for note in json.loads(notes) if "rounded" in note]


def test_values_of_more_than_four_decimals_are_counted_by_column(shop):
    body = HEADER + "1,2024-01-01,0.33333,1\n2,2024-01-01,19.990000000000002,0.1\n3,2024-01-01,1.5,0.00001\n"
    assert rounding(shop, "orders", "o.csv", body) == [
        "Column total: 2 values with more than 4 decimals are rounded.",
        "Column tax: 1 value with more than 4 decimals is rounded.",
    ]
    # by hand: half up at the fifth decimal
    expected = [("1", Decimal("0.3333"), 1), ("2", Decimal("19.9900"), Decimal("0.1")), ("3", Decimal("1.5"), 0)]
    assert shop.rows("SELECT order_id, total, tax FROM orders ORDER BY 1") == expected


@pytest.mark.parametrize(
    ("text", "is_noted"),
    [
        ("1.2345", False),
        ("1.234500000", False),
        ("1234567.12", False),
        ("1.23456e2", False),
        ("1e3", False),
        ("1.00001", True),
        (".00001", True),
        ("-1.00005", True),
        ("1e-7", True),
        ("1.5E-05", True),
        ("$1.23456", True),
    ],
)
def test_only_digits_that_are_lost_are_noted(shop, text, is_noted):
    assert bool(rounding(shop, "orders", "o.csv", f"{HEADER}1,2024-01-01,{text},\n")) == is_noted


def test_a_decimal_comma_is_no_other_matter(shop):
    body = HEADER.replace(",", ";") + "1;2024-01-01;1.234,56;0,5\n2;2024-01-01;0,333333;0,5\n"
    assert rounding(shop, "orders", "o.csv", body) == ["Column total: 1 value with more than 4 decimals is rounded."]
    assert rounding(shop, "orders", "p.csv", body.replace("0,333333", "0,3333")) == []


def test_values_far_down_are_found(shop):
    rows = [f"{n},2024-01-01,{n}.25,\n" for n in range(MANY)]
    assert rounding(shop, "orders", "clean.csv", HEADER + "".join(rows)) == []
    rows[-2:] = ["x,2024-01-01,0.123456,\n", "y,2024-01-01,0.1,\n"]
    found = rounding(shop, "orders", "far.csv", HEADER + "".join(rows))
    assert found == ["Column total: 1 value with more than 4 decimals is rounded."]


def test_a_column_of_floats_in_parquet_is_counted(shop):
    out = io.BytesIO()
    columns = {"order_id": ["1", "2"], "ordered_at": ["2024-01-01"] * 2, "total": [0.1 + 0.2, 0.25]}
    pq.write_table(pa.table(columns), out)
    found = rounding(shop, "orders", "o.parquet", out.getvalue())
    assert found == ["Column total: 1 value with more than 4 decimals is rounded."]


def test_the_file_of_a_known_source_names_its_own_column(shop):
    body = "Invoice No,Invoice Date,Qty,Unit Cost Price\n1,2024-01-01,3,0.33333\n1,2024-01-01,3,0.5\n"
    assert rounding(shop, "auto", "lines.csv", body) == [
        "Column Unit Cost Price: 1 value with more than 4 decimals is rounded."
    ]


def test_columns_that_are_no_money_are_not_rounded(shop):
    assert rounding(shop, "visits", "v.csv", "visit,seconds\na,0.123456\nb,1.5\n") == []
    assert shop.rows("SELECT seconds FROM visits ORDER BY visit") == [(0.123456,), (1.5,)]
