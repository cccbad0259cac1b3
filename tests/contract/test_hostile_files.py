"""Bombs, lies, damage and foreign files: each is refused with a reason, and nothing but our own errors comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from shared.duck import Duck, open_duck
from shared.errors import EmptyFileError, InputError, UnreadableFileError, UploadTooLargeError
from shared.formats.base import open_table
from shared.formats.table import ReadOptions

AWKWARD = Path(__file__).parent.parent / "data/awkward"


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=400, threads=2, extensions=())


def read(duck: Duck, tmp_path: Path, content: bytes, **options):
    path = tmp_path / "input"
    path.write_bytes(content)
    table = open_table(duck, path, "t", options=ReadOptions(**options), work_dir=tmp_path, filename="input")
    return table, duck.execute("SELECT * FROM t")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bz2.compress(b"a,b\n1,2\n"), "bzip2"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"<!DOCTYPE html><html><body>Access denied</body></html>", "HTML"),
        (bytes(range(256)) * 20, "not a text file"),
        (gzip.compress(b"a,b\n1,2\n" * 999)[:40], "damaged or cut off"),
        ("наименование;цена\nчай;1\nкофе;2\n".encode("cp1251"), "encoding"),
        ("番号,名前\n1,テスト表\n2,漢字表\n".encode("shift_jis"), "encoding"),
        (b'[{"a":1},{"a":2]', "Line 1"),
        (b'{"orders":[{"a":1}],"refunds":[{"a":2}]}', "several tables"),
        (b"[" * 5_000 + b"]" * 5_000, "nested|no row|No row"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}\n" + b'{"a":1}\n', "nested"),
        (b"PAR1" + b"\0" * 60 + b"PAR1", "Parquet"),
        (b"PK\x03\x04" + b"\0" * 60, "damaged|workbook"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(duck, tmp_path, content, reason):
    with pytest.raises(UnreadableFileError, match=reason):
        read(duck, tmp_path, content)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"id,name\n", b"[]", b'{"rows":[]}\n[]'[:11], b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(duck, tmp_path, content):
    with pytest.raises((EmptyFileError, UnreadableFileError)):
        read(duck, tmp_path, content)


@pytest.mark.parametrize("column", [0, 1])
def test_a_damaged_page_of_parquet_is_found_when_the_file_is_opened(duck, tmp_path, column):
    out = io.BytesIO()
    pq.write_table(pa.table({"id": list(range(100_000)), "s": [f"v{i * 7919 % 100_003}" for i in range(100_000)]}), out)
    content = bytearray(out.getvalue())
    start = pq.ParquetFile(out).metadata.row_group(0).column(column).data_page_offset + 1_000
    content[start : start + 4_000] = bytes(byte ^ 0x5A for byte in content[start : start + 4_000])
    with pytest.raises(UnreadableFileError, match="damaged"):
        read(duck, tmp_path, bytes(content))


def tar_of(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("table.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def encrypted(archive: bytes) -> bytes:
    """The same archive with the flag of encryption in both headers."""
    content = bytearray(archive)
    content[6] |= 1
    content[archive.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


TABLE = b"id,name\n" + b"1,a\n2,b\n" * 50


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tar_of(TABLE), "tar archive"),
        (gzip.compress(tar_of(TABLE)), "tar archive"),
        (gzip.compress(gzip.compress(TABLE)), "compressed twice"),
        (gzip.compress(bz2.compress(TABLE)), "bzip2"),
        (zip_of({"a.csv": TABLE, "b.csv": TABLE}), "2 files"),
        (zip_of({"a.zip": zip_of({"b.csv": TABLE})}), "another archive"),
        (zip_of({"a.csv": TABLE}, zipfile.ZIP_LZMA), "compression"),
        (encrypted(zip_of({"a.csv": TABLE})), "encrypted"),
        (zip_of({"a.csv": TABLE})[:-30], "damaged"),
        (zip_of({"[Content_Types].xml": b"", "word/document.xml": b""}), "Word"),
        (zip_of({"[Content_Types].xml": b"", "xl/workbook.bin": b""}), "xlsb"),
        (zip_of({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "OpenDocument"),
        (zip_of({"[Content_Types].xml": b"", "xl/workbook.xml": b"<nothing"}), "damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "xls"),
        (b"ORC\x08\x01" + bytes(60), "ORC"),
        (b'<?xml version="1.0"?><rows><row/></rows>', "XML"),
        (b'{"id":1,"id":2}\n{"id":3,"id":4}\n', "twice"),
        (b'[{"id":1,"id":2}]', "twice"),
        (b'[{"a":' * 3_000 + b"1" + b"}]" * 3_000, "nested"),
    ],
)
def test_a_foreign_or_broken_container_is_refused_with_the_reason(duck, tmp_path, content, reason):
    with pytest.raises(UnreadableFileError, match=reason):
        read(duck, tmp_path, content)


@pytest.mark.parametrize("first", ["ORCID", "PARENT", "PAR1", "BZhost", "PK", "OBJ", "GIF8x", "Rar!"])
def test_a_header_that_begins_like_another_format_is_a_header(duck, tmp_path, first):
    table, rows = read(duck, tmp_path, f"{first},name\n1,a\n2,b\n".encode())
    assert (table.columns, rows) == ((first, "name"), [("1", "a"), ("2", "b")])


def test_nul_bytes_in_a_text_do_not_make_it_utf_16(duck, tmp_path):
    table, rows = read(duck, tmp_path, b"id,name,note\n1,a\0b,x\n2,\0\0,y\n")
    assert rows == [("1", "ab", "x"), ("2", None, "y")]
    assert "3 NUL bytes were removed." in table.notes


def test_a_repeated_name_is_a_problem_of_its_line_only(duck, tmp_path):
    table, rows = read(duck, tmp_path, b'{"id":1}\n{"id":2,"id":3}\n{"id":4}\n')
    assert (table.rows, table.problems, [row[0] for row in rows]) == (3, 1, ["1", None, "4"])
    assert rows[1][1:] == ("the name id comes twice in one object", 2, '{"id":2,"id":3}')


def lying_zip(name: str, content: bytes) -> bytes:
    """An archive that says its member has three bytes, and has the checksum of these three."""
    archive = bytearray(zip_of({name: content}))
    directory = archive.rindex(b"PK\x01\x02")
    for place in (14, directory + 16):
        struct.pack_into("<I", archive, place, zlib.crc32(content[:3]))
    for place in (22, directory + 24):
        struct.pack_into("<I", archive, place, 3)
    return bytes(archive)


def test_an_archive_that_lies_about_its_size_is_damaged(duck, tmp_path):
    with pytest.raises(UnreadableFileError, match="checksum"):
        read(duck, tmp_path, lying_zip("a.csv", TABLE))


ZEROS = b"0" * (300 << 20)


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress, lambda zeros: zip_of({"a.csv": zeros})])
def test_a_small_file_that_unfolds_into_hundreds_of_megabytes_is_a_bomb(duck, tmp_path, pack):
    with pytest.raises(UploadTooLargeError, match="grows more than"):
        read(duck, tmp_path, pack(ZEROS))


def test_a_bomb_in_utf_16_is_one_too(duck, tmp_path):
    with pytest.raises(UploadTooLargeError, match="grows more than"):
        read(duck, tmp_path, gzip.compress(b"\xff\xfe" + ZEROS, 1))


def test_a_parquet_file_of_few_bytes_that_claims_many_rows_is_a_bomb(duck, tmp_path):
    rows = 30_000_000
    table = pa.table({"a": pa.nulls(rows)})
    pq.write_table(
        table, tmp_path / "nulls.parquet", row_group_size=rows, write_batch_size=rows, max_rows_per_page=rows
    )
    with pytest.raises(UploadTooLargeError, match="30,000,000 rows"):
        read(duck, tmp_path, (tmp_path / "nulls.parquet").read_bytes())


def workbook(sheet: str, strings: str = "", styles: str = "") -> bytes:
    """The smallest workbook there is, around a sheet's rows, the shared strings and the styles."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    links = {1: "worksheet", 2: "sharedStrings"}
    targets = {1: "worksheets/sheet1.xml", 2: "sharedStrings.xml"}
    relationships = "".join(
        f'<Relationship Id="rId{i}" Type="{kinds}/{kind}" Target="{targets[i]}"/>' for i, kind in links.items()
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{kinds}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kinds}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{relationships}</Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>',
    }
    return zip_of({name: part.encode() for name, part in parts.items()})


def test_the_smallest_workbook_is_read(duck, tmp_path):
    sheet = (
        '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="B3"><v>1</v></c><c r="C3"><v>0.30000000000000004</v></c></row>'
        '<row r="4"><c r="B4"><v>2</v></c><c r="C4" t="e"><v>#N/A</v></c></row>'
        '<row r="9999"><c r="XFD9999" s="1"/></row>'
    )
    table, rows = read(duck, tmp_path, workbook(sheet, "<si><t>id</t></si><si><t>price</t></si>"))
    assert (table.columns, rows) == (("id", "price"), [("1", "0.3"), ("2", None)])
    assert "1 cell with an error such as #N/A is empty." in table.notes


@pytest.mark.parametrize(
    "content",
    [
        workbook('<row><c r="A1"><v>1</v></c></row><row><c r="XFD1048576"><v>1</v></c></row>'),
        workbook("<row><c><v>1</v></c></row>" * 9_000 + "<row>" + "<c><v>1</v></c>" * 9_000 + "</row>"),
        workbook('<row><c t="s"><v>0</v></c></row>' * 3_000, f"<si><t>{'a' * 100_000}</t></si>"),
        workbook("<row><c><v>1</v></c></row>", f"<si><t>{'a' * 999}</t></si>" * 80_000),
        workbook("<row><c><v>1</v></c></row>", styles="<numFmts/>" * 8_000_000),
    ],
    ids=["one cell far away", "cells without places", "one text in every cell", "many shared texts", "many styles"],
)
def test_a_workbook_that_would_not_fit_into_memory_is_refused_before_it_is_opened(duck, tmp_path, content):
    assert len(content) < 2_000_000
    with pytest.raises(UploadTooLargeError, match="memory"):
        read(duck, tmp_path, content)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("encoding", "rot13"), ("encoding", "no\0thing"), ("encoding", "klingon"), ("encoding", "undefined"),
        ("delimiter", ""), ("delimiter", 5), ("delimiter", "\n"), ("quote", "<<"), ("escape", ["x"]),
        ("header", "yes"), ("skip_lines", -1), ("skip_lines", True), ("header_row", 0), ("sheet", ""),
        ("decimal", "x"), ("date_order", "ddd"),
    ],
)  # fmt: skip
def test_a_read_option_that_makes_no_sense_is_the_senders_error(duck, tmp_path, option, value):
    with pytest.raises(InputError, match=r"option|encoding"):
        read(duck, tmp_path, TABLE, **{option: value})


def mutated(content: bytes, generator: random.Random) -> bytes:
    result = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        at = generator.randrange(len(result) + 1)
        match generator.randrange(5):
            case 0:
                result[at : at + 1] = bytes([generator.randrange(256)])
            case 1:
                result = result[:at] or result
            case 2:
                result[at:at] = bytes(generator.choice(b"\0\n\r\"',;[{\\\xff") for _ in range(3))
            case 3:
                del result[at : at + generator.randrange(1, 50)]
            case 4:
                result[at:at] = result[generator.randrange(len(result) + 1) :][: generator.randrange(1, 200)]
    return bytes(result)


def test_a_thousand_mutated_files_give_rows_or_our_own_errors(duck, tmp_path):
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["id", "name"])
    for number in range(20):
        book.active.append([number, f"name {number}"])
    book.save(out)
    sources = [path.read_bytes() for path in sorted(AWKWARD.iterdir()) if path.stat().st_size < 20_000]
    sources += [out.getvalue(), zip_of({"a.csv": TABLE}), gzip.compress(TABLE), zstd.compress(TABLE)]
    sources += [json.dumps([{"a": i, "b": {"c": [i]}} for i in range(20)]).encode()]
    outcomes, messages = set(), set()
    for seed in range(1_000):
        generator = random.Random(seed)
        try:
            table, rows = read(duck, tmp_path, mutated(generator.choice(sources), generator))
        except (EmptyFileError, UnreadableFileError, UploadTooLargeError) as error:
            outcomes.add(type(error))
            messages.add(error.message)
        else:
            outcomes.add("read")
            assert table.rows == len(rows), seed
    assert outcomes >= {"read", EmptyFileError, UnreadableFileError}
    assert min(map(len, messages)) > 15
