"""Thirty real awkward files through the whole ingest: the right rows, or held with a reason people understand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.shop import shop_in

FOLDER = Path(__file__).parent.parent / "data/awkward"
FILES = {file["file"]: file for file in json.loads((FOLDER / "manifest.json").read_text())["files"]}

HELD = {
    "excel_empty_sheet.xlsx": ("empty_file", "no cells"),
    "parquet_bad_metadata.parquet": ("unreadable", "Parquet"),
    "multichar_delimiter_products.csv": ("unreadable", "+|"),
}
"""These are held, with which code and which word in the reason; no other is."""

OTHER_COUNTS = {
    "null_byte.csv": 1,
    "preamble_before_header.csv": 3,
    "semicolon_backslash_quotes_comments.csv": 5,
    "nyc311.jsonl": 5,
    "tiny_utf8.jsonl": 2,
    "excel_two_sheets.xlsx": 5,
    "parquet_int96_timestamps.parquet": 6,
    "parquet_all_null_column.parquet": 8,
    "excel_merged_header.xlsx": 3,
}
"""Rows in the lake where the manifest counts otherwise or not at all: from reading the file by eye."""


@pytest.mark.parametrize("name", FILES)
def test_each_awkward_file_gives_the_right_rows_or_is_held_with_a_reason(tmp_path, name):
    shop, expect = shop_in(tmp_path), FILES[name].get("expect", {})
    outcome = shop.upload("things", name, FOLDER / name)
    counts = outcome.counts
    assert counts.received == counts.accepted + counts.held + counts.duplicate
    assert (outcome.status == "held") == (name in HELD)
    if name in HELD:
        code, word = HELD[name]
        assert outcome.reason_code == code
        assert word in outcome.reason
        return
    rows = shop.rows("SELECT count(*) FROM things")[0][0]
    assert rows == OTHER_COUNTS.get(name, expect.get("data_rows_not_blank", expect.get("rows")))
    columns = [row[0] for row in shop.rows("SELECT column_name FROM duckdb_columns() WHERE table_name = 'things'")]
    if "columns" in expect:
        assert len([column for column in columns if column != "row_key"]) == expect["columns"]


def column_sum(tmp_path: Path, name: str, column: str) -> float:
    shop = shop_in(tmp_path)
    shop.upload("things", name, FOLDER / name)
    return shop.rows(f"SELECT sum({column}) FROM things")[0][0]


@pytest.mark.parametrize("column", ["Occupancy rate", "Average Price", "RevPAR"])
def test_a_decimal_comma_is_a_decimal_comma(tmp_path, column):
    name = "hotel_revenue_latin1_semicolon_decimalcomma.csv"
    expected = FILES[name]["expect"]["sums"][column]
    assert column_sum(tmp_path, name, column.lower().replace(" ", "_")) == pytest.approx(expected, abs=0.001)


def test_a_comma_inside_quotes_groups_thousands(tmp_path):
    assert column_sum(tmp_path, "uk_fco_spend_cr_only.csv", "amount_excluding_vat") == pytest.approx(181395.74)


def test_two_offsets_are_two_instants_three_hours_apart(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("things", "a.csv", FOLDER / "semicolon_timezones.csv")
    assert shop.rows("SELECT date_diff('hour', min(timestamp), max(timestamp)) FROM things") == [(3,)]


def test_days_come_first_where_a_part_above_twelve_proves_it(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("things", "a.csv", FOLDER / "dates_day_first.csv")
    assert shop.rows(
        "SELECT open_dt = TIMESTAMPTZ '2022-01-21 13:47:00+00', target_dt = TIMESTAMPTZ '2022-02-04 13:47:30+00' "
        "FROM things WHERE case_enquiry_id = 101004143000"
    ) == [(True, True)]


def test_codes_keep_their_zeros_and_headers_their_accents(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("things", "a.csv", FOLDER / "italian_codes_semicolon.csv")
    assert ("03", "015") in shop.rows("SELECT codice_regione, codice_provincia FROM things")
    shop.upload("latin", "b.csv", FOLDER / "latin1_unicode_series.csv")
    assert shop.rows("SELECT count(*) FROM latin WHERE column_2 = 'Cérémonie, La (1995)'") == [(1,)]


def test_the_sum_of_a_column_with_odd_cells_is_not_nan(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("things", "a.csv", FOLDER / "not_a_number_cells.csv")
    assert shop.rows("SELECT typeof(number) FROM things LIMIT 1") == [("VARCHAR",)]
