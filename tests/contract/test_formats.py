"""Every awkward file and every twin of a table becomes the right table of text, or is refused with a reason."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.duck import Duck, open_duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.base import open_table
from shared.formats.expressions import TimeFormat, number_expression, time_expression
from shared.formats.table import ReadOptions

FOLDER = Path(__file__).parent.parent / "data/awkward"
FILES = {file["file"]: file for file in json.loads((FOLDER / "manifest.json").read_text())["files"]}
REFUSED = {
    "excel_empty_sheet.xlsx": (EmptyFileError, "no cells"),
    "parquet_bad_metadata.parquet": (UnreadableFileError, "damaged"),
    "multichar_delimiter_products.csv": (UnreadableFileError, r"\+\|"),
}
BY_EYE = {
    "preamble_before_header.csv": (("h1", "h2", "h3", "h4"), 3, 0),
    "semicolon_backslash_quotes_comments.csv": (("column_1", "column_2"), 6, 1),
    "null_byte.csv": (("a", "b", "c"), 1, 0),
    "nyc311.jsonl": (None, 5, 0),
    "tiny_utf8.jsonl": (("id", "name"), 2, 0),
    "excel_merged_header.xlsx": (
        ("Region", "Caloric contribution", "Cumulative impact of changes on cost of food basket", "column_4"),
        3,
        0,
    ),
    "excel_two_sheets.xlsx": (
        ("text", "date", "integer", "boolean", "float", "datetime", "empty_column", "column_8"),
        5,
        0,
    ),
    "parquet_int96_timestamps.parquet": (("a",), 6, 0),
    "parquet_all_null_column.parquet": (("b_struct",), 8, 0),
}
"""Columns, rows and problem rows of files whose manifest entry says less, counted by eye.

The last INT96 is NULL: in Parquet a row without values is a row all the same, unlike a blank line of a text.
"""


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=400, threads=2, extensions=())


def opened(duck: Duck, path: Path, work: Path, **options):
    table = open_table(duck, path, "t", options=ReadOptions(**options), work_dir=work, filename=path.name)
    return table, duck.execute("SELECT * FROM t")


def read(duck: Duck, tmp_path: Path, content: bytes, **options):
    path = tmp_path / "input"
    path.write_bytes(content)
    return opened(duck, path, tmp_path, **options)


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
def test_an_awkward_file_has_the_columns_rows_and_cells_an_independent_parser_finds(duck, tmp_path, name):
    table, rows = opened(duck, FOLDER / name, tmp_path)
    assert table.rows == len(rows)
    expect = FILES[name].get("expect", {})
    if name in BY_EYE:
        columns, count, problems = BY_EYE[name]
        assert (columns in (None, table.columns), len(rows), table.problems) == (True, count, problems)
        return
    assert len(rows) == expect["data_rows_not_blank"]
    assert (table.problems, len(table.columns)) == (0, expect["columns"])
    header = [column for column in expect["header"] or [] if column != "..."]
    if name == "duplicate_headers.csv":
        header = ["id", "name", "id_1", "age", "id_2"]
    assert list(table.columns)[: len(header)] == (header or [])
    assert table.delimiter == expect["delimiter"]
    assert table.compression == (expect["compression"] or "")
    for place, cells in ((0, expect["first_row"]), (-1, expect["last_row"])):
        assert list(rows[place])[: len(cells)] == [cell or None for cell in cells]
    for column, total in expect.get("sums", {}).items():
        number = number_expression(f'"{column}"', table.decimal, "DOUBLE")
        assert duck.value(f"SELECT sum({number}) FROM t") == pytest.approx(total, abs=0.001)


@pytest.mark.parametrize("name", REFUSED)
def test_an_awkward_file_that_is_no_table_is_refused_with_the_reason(duck, tmp_path, name):
    error, reason = REFUSED[name]
    with pytest.raises(error, match=reason):
        opened(duck, FOLDER / name, tmp_path)


def test_the_fields_of_a_bulk_file_can_be_read_by_naming_its_delimiter(duck, tmp_path):
    content = b"1+|Vest+|2024\n2+|Cap, red+|2022\n"
    table, rows = read(duck, tmp_path, content, delimiter="+|")
    assert (len(table.columns), rows) == (3, [("1", "Vest", "2024"), ("2", "Cap, red", "2022")])


HEADER = ["id", "name", "note", "price"]
ROWS = [[str(i), f"Müller {i}", f'say "{i}", ok;\tfine|' if i % 3 else "two\nlines", f"{i}.50"] for i in range(1, 40)]


def as_csv(delimiter: str = ",", end: str = "\n", quote: str = '"') -> str:
    out = io.StringIO(newline="")
    # Before 3.13, csv leaves a line feed unquoted where lines end with CR.
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, lineterminator=end, quotechar=quote, quoting=quoting).writerows(
        [HEADER, *ROWS]
    )
    return out.getvalue()


def as_workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in [HEADER, *ROWS]:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: [row[i] for row in ROWS] for i, name in enumerate(HEADER)}), out)
    return out.getvalue()


def as_zip(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", content)
    return out.getvalue()


OBJECTS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
TWINS = {
    "plain": as_csv().encode(),
    "BOM": as_csv().encode("utf-8-sig"),
    "CRLF": as_csv(end="\r\n").encode(),
    "old Mac": as_csv(end="\r").encode(),
    "mixed line ends": as_csv(end="\n").replace('0"\n', '0"\r\n').replace(".50\n", ".50\r\n", 5).encode(),
    "tab": as_csv("\t").encode(),
    "semicolon": as_csv(";").encode(),
    "pipe": as_csv("|").encode(),
    "single quotes": as_csv(quote="'").encode(),
    "windows-1252": as_csv().encode("cp1252"),
    "UTF-16": as_csv().encode("utf-16"),
    "UTF-16 LE without a mark": as_csv().encode("utf-16-le"),
    "UTF-16 BE without a mark": as_csv().encode("utf-16-be"),
    "title": b"Our prices\n\n" + as_csv().encode(),
    "gzip": gzip.compress(as_csv().encode()),
    "zstd": zstd.compress(as_csv().encode()),
    "zip": as_zip(as_csv().encode()),
    "gzip of UTF-16": gzip.compress(as_csv(";").encode("utf-16")),
    "parquet": as_parquet(),
    "gzip of parquet": gzip.compress(as_parquet()),
    "workbook": as_workbook(),
    "JSON": json.dumps(OBJECTS, indent=1).encode(),
    "JSON in UTF-16": json.dumps(OBJECTS, ensure_ascii=False).encode("utf-16"),
    "JSON lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in OBJECTS).encode(),
    "JSON around an array": json.dumps({"page": 1, "rows": OBJECTS}).encode(),
    "zstd of JSON lines": zstd.compress("\n".join(map(json.dumps, OBJECTS)).encode()),
}


@pytest.mark.parametrize("twin", TWINS)
def test_all_twins_of_a_table_give_the_same_rows(duck, tmp_path, twin):
    table, rows = read(duck, tmp_path, TWINS[twin])
    assert table.columns == tuple(HEADER)
    assert rows == [tuple(row) for row in ROWS]
    assert set(duck.columns("t").values()) == {"VARCHAR"}


def test_a_ragged_row_keeps_its_line_and_text_and_the_others_are_read(duck, tmp_path):
    content = b"id,name,city\n1,a,x\n2,b\n3,c,z,9\n4,d,w,\n5,e,v\n"
    table, rows = read(duck, tmp_path, content)
    assert (table.rows, table.problems) == (5, 2)
    assert rows == [
        ("1", "a", "x", None, 2, None),
        (None, None, None, "2 cells where the header has 3", 3, "2,b"),
        (None, None, None, "4 cells where the header has 3", 4, "3,c,z,9"),
        ("4", "d", "w", None, 5, None),
        ("5", "e", "v", None, 6, None),
    ]


def test_a_ragged_row_after_five_megabytes_is_found_too(duck, tmp_path):
    good = b"".join(b"%d,name %d\n" % (i, i) for i in range(300_000))
    table, rows = read(duck, tmp_path, b"id,name\n" + good + b"1,2,3\n9,last\n")
    assert (table.rows, table.problems, rows[-1][:2]) == (300_002, 1, ("9", "last"))
    assert rows[-2][2:] == ("3 cells where the header has 2", 300_002, "1,2,3")


def test_bytes_that_are_not_utf8_at_the_end_of_five_megabytes_are_read_as_windows_1252(duck, tmp_path):
    good = b"".join(b"%d,name %d\n" % (i, i) for i in range(300_000))
    table, rows = read(duck, tmp_path, b"id,name\n" + good + b"9,\x80 5 caf\xe9\n")
    assert (table.rows, table.encoding, rows[-1]) == (300_001, "windows-1252", ("9", "€ 5 café"))
    assert any("windows-1252" in note for note in table.notes)


def test_damaged_utf8_stays_utf8_around_the_damage(duck, tmp_path):
    good = "".join(f"{i},Zoë & Søren\n" for i in range(1_000)).encode()
    table, rows = read(duck, tmp_path, b"id,name\n" + good + b"9,caf\xe9\n")
    assert (rows[0], rows[-1]) == (("0", "Zoë & Søren"), ("9", "café"))
    assert "1 byte that" in table.notes[0]


def test_blanks_around_cells_are_kept_and_rows_without_text_are_not(duck, tmp_path):
    assert read(duck, tmp_path, b"a,b\n x ,y\n,\n\n 1,2 \n")[1] == [(" x ", "y"), (" 1", "2 ")]


def test_quoted_line_ends_are_right_in_a_file_that_is_read_in_parallel_pieces(duck, tmp_path):
    generator = random.Random(7)
    rows = [
        [str(i), "\n".join("x" * generator.randrange(40) + "," for _ in range(generator.randrange(1, 9)))]
        for i in range(120_000)
    ]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([["id", "text"], *rows])
    assert len(out.getvalue()) > 10_000_000
    table, found = read(duck, tmp_path, out.getvalue().encode())
    assert table.rows == len(rows)
    assert found == [tuple(row) for row in rows]


def test_a_hundred_megabytes_are_read_in_three_hundred_of_memory(tmp_path):
    path = tmp_path / "big.csv"
    block = "".join(f"{i},customer {i % 977},{i % 89}.{i % 10},2024-01-0{i % 9 + 1}\n" for i in range(100_000)).encode()
    with path.open("wb") as file:
        file.write(b"id,name,price,day\n")
        while file.tell() < 100_000_000:
            file.write(block)
    small = open_duck(memory_limit_mb=300, threads=2, extensions=(), temp_directory=tmp_path / "spill")
    table = open_table(small, path, "big", options=ReadOptions(), work_dir=tmp_path, filename="big.csv")
    blocks = (path.stat().st_size - 18) // len(block)
    assert table.rows == blocks * 100_000
    assert small.value("SELECT sum(CAST(id AS BIGINT)) FROM big") == blocks * sum(range(100_000))
    assert not list(tmp_path.glob("*.csv.*"))
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".csv"] == ["big.csv"]


def test_numbers_in_json_keep_their_digits_also_inside_nested_values(duck, tmp_path):
    content = b'[{"a":12345678901234.5678,"b":{"c":1.50,"d":[1,true,null,"x"]}},{"a":1e400,"e":false}]'
    table, rows = read(duck, tmp_path, content)
    assert table.columns == ("a", "b", "e")
    assert rows == [("12345678901234.5678", '{"c":1.50,"d":[1,true,null,"x"]}', None), ("1e400", None, "false")]


def test_a_broken_line_of_json_lines_is_a_problem_of_that_line(duck, tmp_path):
    table, rows = read(duck, tmp_path, b'{"id":1}\n{"id":2,\n{"id":3}\n')
    assert (table.kind, table.problems) == ("ndjson", 1)
    assert rows[1][1:] == ("the line is not a JSON object", 2, '{"id":2,')


def test_reading_json_takes_time_in_proportion_to_its_rows(duck, tmp_path):
    content = b"".join(b'{"id":%d,"name":"name %d","price":1.10}\n' % (i, i) for i in range(200_000))
    table, rows = read(duck, tmp_path, content)
    assert (table.rows, rows[-1]) == (200_000, ("199999", "name 199999", "1.10"))


def test_a_workbook_loses_no_cell_and_skips_titles_and_hidden_sheets(duck, tmp_path):
    book = openpyxl.Workbook()
    book.active.title, book.active.sheet_state = "lists", "hidden"
    book.active.append(["x", "y"])
    sheet = book.create_sheet("data")
    for row in (["Sales 2024"], [], ["id", "sold"], [1, 2.5], [2, 3, "remark"]):
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    table, rows = opened(duck, tmp_path / "book.xlsx", tmp_path)
    assert (table.columns, rows) == (("id", "sold", "column_3"), [("1", "2.5", None), ("2", "3", "remark")])
    assert opened(duck, tmp_path / "book.xlsx", tmp_path, sheet="lists", header=False)[1] == [("x", "y")]


def test_far_dates_of_int96_are_no_dates_instead_of_other_dates(duck, tmp_path):
    table, rows = opened(duck, FOLDER / "parquet_int96_timestamps.parquet", tmp_path)
    assert [row[0] for row in rows[:2]] == ["2024-01-01 20:34:56.123456", "2024-01-01 01:00:00"]
    assert duck.execute(f"SELECT count({time_expression('a', TimeFormat(), 'TIMESTAMPTZ')}) FROM t") == [(4,)]
    assert any("out of range" in note for note in table.notes)


def test_a_file_whose_name_looks_like_a_pattern_is_read_alone(duck, tmp_path):
    (tmp_path / "a1.csv").write_text("id\n1\n")
    (tmp_path / "a[1]*.csv").write_text("id,x\n2,3\n")
    assert opened(duck, tmp_path / "a[1]*.csv", tmp_path)[1] == [("2", "3")]


CELL = st.text(st.characters(exclude_characters="\0\\", exclude_categories=("Cs",)), max_size=6)


@settings(max_examples=120, deadline=None)
@given(
    rows=st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=8)),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_pythons_csv_writes_in_a_named_dialect_is_read_cell_by_cell(
    duck, tmp_path_factory, rows, delimiter, quote, end, encoding
):
    out = io.StringIO(newline="")
    header = [f"h{i}" for i in range(len(rows[0]))]
    writer = csv.writer(out, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *rows])
    expected = [tuple(cell or None for cell in row) for row in rows if any(row)]
    folder = tmp_path_factory.mktemp("dialect")
    content = out.getvalue().encode(encoding)
    if not expected:
        with pytest.raises(EmptyFileError):
            read(duck, folder, content, delimiter=delimiter, quote=quote, encoding=encoding, header=True)
        return
    table, found = read(duck, folder, content, delimiter=delimiter, quote=quote, encoding=encoding, header=True)
    assert (table.columns, found) == (tuple(header), expected)
