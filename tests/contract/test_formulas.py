"""A formula that nobody calculated has no value: the file's notes say in which sheet and column, and how many."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from shared.duck import Duck, open_duck
from shared.errors import EmptyFileError
from shared.formats.base import open_table
from shared.formats.table import ReadOptions, TextTable
from tests.api_shop import api_shop_in


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=2)


def book_of(rows: list[list[object]], *, title: str = "Sheet", above: int = 0) -> bytes:
    """A workbook as openpyxl writes it: formulas without values."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = title
    for row in [[]] * above + rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def rewritten(body: bytes, pattern: bytes, replacement: bytes) -> bytes:
    """The workbook with its sheets' XML changed by hand, as other programs write it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as archive, zipfile.ZipFile(out, "w") as target:
        for name in archive.namelist():
            text = archive.read(name)
            changed = re.sub(pattern, replacement, text) if name.startswith("xl/worksheets/") else text
            target.writestr(name, changed)
    return out.getvalue()


def opened(duck: Duck, folder: Path, body: bytes, **options: object) -> TextTable:
    path = folder / "book.xlsx"
    path.write_bytes(body)
    return open_table(duck, path, "t", options=ReadOptions(**options), work_dir=folder, filename="book.xlsx")


def empty(table: TextTable) -> list[str]:
    return [note.partition(" and ")[0] for note in table.notes if "stored value" in note]


ORDERS = [["id", "price", "total", "tax"], [1, 2, "=B2*2", "=B2*0.2"], [2, 3, "=B3*2", 0.6], [3, "=1+1", 6, 1]]
ALL_THREE = [
    "Sheet Orders, column price: 1 formula has no stored value",
    "Sheet Orders, column total: 2 formulas have no stored value",
    "Sheet Orders, column tax: 1 formula has no stored value",
]


def test_formulas_without_a_value_are_counted_by_column(duck, tmp_path):
    table = opened(duck, tmp_path, book_of(ORDERS, title="Orders"))
    assert empty(table) == ALL_THREE
    assert duck.execute("SELECT total FROM t") == [(None,), (None,), ("6",)]


def test_they_are_found_wherever_the_table_stands(duck, tmp_path):
    moved: list[list[object]] = [[None, None, *row] for row in ORDERS]
    assert empty(opened(duck, tmp_path, book_of(moved, title="Orders", above=4))) == ALL_THREE


@pytest.mark.parametrize(
    ("pattern", "replacement", "noted"),
    [
        (rb"<v ?/>", b"", True),
        (rb"<v ?/>", b"<v></v>", True),
        (rb"<f>[^<]*</f><v ?/>", b'<f t="shared" si="0"/>', True),
        (rb"<v ?/>", b"<v>4</v>", False),
        (rb"<c r=\"(\w+)\"><f>([^<]*)</f><v ?/>", rb'<c r="\1" t="str"><f>\2</f><v></v>', False),
    ],
    ids=["no value", "an empty value", "a shared formula", "a value", "an empty text as value"],
)
def test_what_other_programs_write(duck, tmp_path, pattern, replacement, noted):
    body = rewritten(book_of(ORDERS, title="Orders"), pattern, replacement)
    assert body != book_of(ORDERS, title="Orders")
    assert empty(opened(duck, tmp_path, body)) == (ALL_THREE if noted else [])


def test_namespace_prefixes_and_blanks_between_tags_hide_none(duck, tmp_path):
    body = rewritten(book_of(ORDERS, title="Orders"), rb"<(/?)(\w)", rb"<\1x:\2")
    body = rewritten(rewritten(body, rb"xmlns=", rb"xmlns:x="), rb"(</x:c>|<x:[cfv])", rb"\n \1")
    assert empty(opened(duck, tmp_path, body)) == ALL_THREE


def test_only_the_sheet_that_is_read_counts(duck, tmp_path):
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "R&D <x>"
    for row in ORDERS:
        book.active.append(row)
    plain = book.create_sheet("plain")
    plain.append(["id", "n"])
    plain.append([1, 2])
    book.save(out)
    assert empty(opened(duck, tmp_path, out.getvalue(), sheet="plain")) == []
    assert empty(opened(duck, tmp_path, out.getvalue()))[0].startswith("Sheet R&D <x>, column price: 1 formula")


def test_formulas_in_more_than_one_chunk_of_a_sheet_are_all_counted(duck, tmp_path):
    rows = 30_000
    body = book_of([["id", "price", "total"], *([n, 2, f"=B{n}*2"] for n in range(2, rows + 2))])
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.getinfo("xl/worksheets/sheet1.xml").file_size > 2 << 20
    assert empty(opened(duck, tmp_path, body)) == [
        "Sheet Sheet, column total: 30,000 formulas have no stored value",
    ]


def test_a_sheet_of_nothing_else_says_why_it_has_no_rows(duck, tmp_path):
    with pytest.raises(EmptyFileError, match=r"no rows\. Sheet S, column total: 2 formulas have no stored value"):
        opened(duck, tmp_path, book_of([["total"], ["=1+1"], ["=2+2"]], title="S"))


def test_a_required_column_is_held_and_the_upload_says_why(tmp_path):
    api = api_shop_in(tmp_path)
    body = book_of([["order_id", "ordered_at", "total"], ["=1+1", "2024-01-01", "=2"], [2, "2024-01-01", 5]])
    told = api.client.post("/v1/uploads?dataset=orders&filename=o.xlsx", content=body).json()
    assert (told["status"], told["accepted"], told["held"]) == ("loaded", 1, 1)
    assert [note.partition(" and ")[0] for note in told["notes"]] == [
        "Sheet Sheet, column order_id: 1 formula has no stored value",
        "Sheet Sheet, column total: 1 formula has no stored value",
    ]
    (row,) = api.client.get(f"/v1/uploads/{told['upload_id']}/held").json()["rows"]
    assert (row["row"], row["column"], row["rule"]) == (1, "order_id", "required")
