"""Which dataset or source a header means: exact names, other spellings, foreign files, near misses and strangers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from shared.datasets.infer import column_name
from shared.datasets.registry import best, bind, built_in, missing
from shared.sources.known import FOLDER, nearest, nearly, source_for, sources

ROOT = Path(__file__).parent.parent.parent
ALL = tuple(built_in().values())


def header_of(name: str) -> list[str]:
    with (ROOT / "tests/data/sources" / name).open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.name)
def test_a_file_with_a_datasets_own_names_is_that_dataset(contract):
    found = best(ALL, [column.name for column in contract.columns])
    assert found is not None
    assert found.name == contract.name


@pytest.mark.parametrize(
    ("header", "dataset"),
    [
        (["Order ID", "Order Date", "Customer", "Total"], "orders"),
        (["order-no", "ORDERED AT"], "orders"),
        (["OrderID", "SKU", "Qty", "Price"], "order_items"),
        (["invoice", "product code", "units", "unit price", "line number"], "order_items"),
        (["product_id", "title", "category", "vendor", "list price", "unit cost"], "products"),
        (["Customer Number", "E-Mail", "Full Name", "Country Code"], "customers"),
        (["id", "name", "email", "country", "created_at"], "customers"),
        (["id", "name", "price"], "products"),
        (["category_id", "name", "parent_id"], "categories"),
        (["event_id", "event type", "timestamp", "user id"], "events"),
        (["from", "to", "date", "exchange rate"], "rates"),
    ],
)
def test_case_blanks_and_other_words_do_not_matter(header, dataset):
    found = best(ALL, header)
    assert found is not None
    assert found.name == dataset


def test_a_columns_own_name_wins_over_another_columns_alias():
    assert bind(built_in()["orders"], ["date", "ordered_at", "id", "order_id"]) == {
        "ordered_at": "ordered_at",
        "order_id": "order_id",
    }


def test_order_lines_need_no_line_id_but_a_quantity_and_a_price():
    assert missing(built_in()["order_items"], ["order_id", "product_id", "quantity", "unit_price"]) == []
    assert missing(built_in()["order_items"], ["order_id", "product_id"]) == ["quantity", "unit_price"]


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_source_finds_itself_by_each_of_its_headers(source):
    for shape in source.shapes:
        assert source_for(shape.columns) is source
        assert source_for([*reversed(shape.columns), "one more"]) is source
        assert source_for([name.upper().replace(" ", "_") for name in shape.columns]) is source


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_a_source_says_where_it_is_documented_and_every_select_is_commented(source):
    text = (FOLDER / source.name / "source.toml").read_text(encoding="utf-8")
    assert re.search(r'^documented = "(https://|docs/)', text, re.MULTILINE)
    files = {path.stem for path in (FOLDER / source.name).glob("*.sql")}
    assert files == set(source.selects)
    for select in source.selects.values():
        assert select.startswith("-- ")
    assert "_row" in source.selects[source.primary]
    assert f"`{source.name}`" in (ROOT / "docs/sources.md").read_text(encoding="utf-8")


def test_real_headers_belong_to_their_sources():
    found = [source_for(header_of(name)) for name in ("shopify_orders.csv", "woocommerce_orders.csv")]
    assert [source.name for source in found if source] == ["shopify_orders", "woocommerce_orders"]


def test_the_second_edition_of_online_retail_is_the_same_source():
    header = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
    source = source_for(header)
    assert source is not None
    assert source.name == "online_retail"
    assert source.shape_for(header).rename["Customer ID"] == "CustomerID"  # type: ignore[union-attr]  # found above


@pytest.mark.parametrize(
    ("file", "absent"), [("shopify_orders.csv", "Lineitem price"), ("woocommerce_orders.csv", "Item Cost")]
)
def test_a_known_export_without_a_column_is_named_with_what_it_lacks(file, absent):
    header = [name for name in header_of(file) if name != absent]
    assert nearly(header)
    told = nearest(header, ALL)
    assert absent in told
    assert file.split("_")[0] in told.lower()


def test_a_misspelt_column_is_pointed_out():
    assert "quantity (is it quanttity?)" in nearest(["order_id", "line_id", "quanttity", "unit_price"], ALL)


def test_a_stranger_is_nobody():
    header = ["höhe", "breite", "日付"]
    assert source_for(header) is None
    assert best(ALL, header) is None
    assert not nearly(header)
    assert nearest(header, ALL).endswith(
        "resemble no known dataset. Send the file to a dataset with a name of your own, and its columns are inferred."
    )


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Größe (cm)", "grosse_cm"),
        ("Prénom", "prenom"),
        ("日付", "column_3"),
        ("2023 sales", "_2023_sales"),
        ("rowid", "_rowid"),
        ("First", "first_2"),
        ("ＦＵＬＬ width", "full_width"),
        ("x" * 99, "x" * 50),
    ],
)
def test_any_header_becomes_a_plain_column_name(header, name):
    assert column_name(header, ["first", "second"]) == name
