"""Bombs and corruptions through the whole ingest: each is held with a reason, or right, and the next upload is read."""

from __future__ import annotations

import gzip
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from backports import zstd

from shared.reading.base import ReadLimits
from shared.reading.cells import CellReader
from tests import parquet_bombs as bombs
from tests.hostile_files import ROWS, delimited, parquet, zipped
from tests.shop import Shop, shop_in

GOOD = "order_id,ordered_at,total\n{0},2024-01-01,1\n"
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    found = shop_in(tmp_path_factory.mktemp("lake"))
    reader = CellReader(ReadLimits(memory_mb=300, threads=2, temp_mb=300, file_mb=1_024, seconds=40.0))
    yield replace(found, ingest=replace(found.ingest, read=reader))
    reader.close()


def archive_with(name: str, mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, delimited())
    return out.getvalue()


def ndjson_of_many_keys(rows: int, keys: int) -> bytes:
    return b"\n".join(json.dumps({"order_id": f"o{row}", f"k{row % keys}": 1}).encode() for row in range(rows))


def header_of(columns: int) -> bytes:
    return ",".join(f"c{number}" for number in range(columns)).encode() + b"\n" + b"1," * (columns - 1) + b"1\n"


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "parquet: 300 million rows in 700 bytes": (bombs.many_rows, "upload_too_large"),
    "parquet: 600 MB of texts, packed": (bombs.long_texts, "upload_too_large"),
    "parquet: 20,000 row groups": (bombs.many_row_groups, "upload_too_large"),
    "parquet: 20,000 columns": (lambda: bombs.many_columns(20_000), "unreadable"),
    "parquet: nested 1,000 times": (bombs.deep, "unreadable"),
    "parquet: a column in another file": (lambda: bombs.elsewhere("/etc/passwd"), "unreadable"),
    "parquet: a column at an address": (lambda: bombs.elsewhere("{sink}"), "unreadable"),
    "parquet: an unknown codec": (bombs.unknown_codec, "unreadable"),
    "parquet: encrypted": (lambda: bombs.encrypted(plain_footer=False), "unreadable"),
    "parquet: encrypted, its footer plain": (lambda: bombs.encrypted(plain_footer=True), "unreadable"),
    "parquet: a footer of 2 GB": (bombs.footer_of_two_gigabytes, "unreadable"),
    "parquet: cut off": (lambda: parquet()[:-20], "unreadable"),
    "parquet: without its footer": (lambda: parquet()[: len(parquet()) // 2], "unreadable"),
    "parquet: another magic": (lambda: parquet()[:-4] + b"PAR2", "unreadable"),
    "parquet: a damaged footer": (lambda: parquet()[:-200] + b"\xff" * 150 + parquet()[-50:], "unreadable"),
    "no byte": (lambda: b"", "empty_file"),
    "csv: 500 MB in 500 kB of gzip": (lambda: gzip.compress(b"0" * (500 * MEBIBYTE), 9), "upload_too_large"),
    "csv: 300 MB of rows in gzip": (lambda: gzip.compress(b"a,b\n" + b"1,2\n" * (75 * MEBIBYTE)), "upload_too_large"),
    "csv: 300 MB in zstd": (lambda: zstd.compress(b"a,b\n" + b"1,2\n" * (75 * MEBIBYTE)), "upload_too_large"),
    "csv: 300 MB in zip": (lambda: zipped({"a": b"a,b\n" + b"1,2\n" * (75 * MEBIBYTE)}), "upload_too_large"),
    "csv: a line of 50 MB": (lambda: b"order_id,ordered_at\n" + b"x" * (50 * MEBIBYTE), "unreadable"),
    "csv: a cell of 50 MB in quotes": (lambda: b'order_id,ordered_at\n"' + b"x\n" * (25 * MEBIBYTE), "unreadable"),
    "csv: 100,000 columns": (lambda: header_of(100_000), "unreadable"),
    "csv: 1,000,000 columns": (lambda: header_of(1_000_000), "unreadable"),
    "json: arrays nested 100,000 times": (lambda: b"[" * 100_000 + b"]" * 100_000, "unreadable"),
    "json: objects nested 100,000 times": (lambda: b'[{"a":' * 100_000 + b"1" + b"}]" * 100_000, "unreadable"),
    "json: a value nested 200 times": (lambda: b'{"order_id":' + b"[" * 200 + b"]" * 200 + b"}", "unreadable"),
    "json: 100,000 different keys": (lambda: ndjson_of_many_keys(100_000, 100_000), "unreadable"),
    "zip: a name that climbs": (lambda: archive_with("../a.csv"), "unreadable"),
    "zip: a name that climbs on Windows": (lambda: archive_with("..\\a.csv"), "unreadable"),
    "zip: an absolute name": (lambda: archive_with("/etc/cron.d/a"), "unreadable"),
    "zip: a name with a drive": (lambda: archive_with("C:/a.csv"), "unreadable"),
    "zip: a link": (lambda: archive_with("a.csv", stat.S_IFLNK | 0o777), "unreadable"),
    "gzip: something behind its end": (lambda: gzip.compress(delimited()) + b"GARBAGE" * 9, "unreadable"),
    "zstd: something behind its end": (lambda: zstd.compress(delimited()) + b"GARBAGE" * 9, "unreadable"),
    "html": (lambda: b"<!doctype html><script>alert(1)</script>", "unreadable"),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "unreadable"),
}

HELD_OR_RIGHT: dict[str, Callable[[], bytes]] = {
    "parquet: one text of 100 kB, 6,000 times": bombs.one_long_text,
    "csv: NULs, mixed line ends, bad UTF-8 and a lone quote": lambda: (
        b'order_id,ordered_at,status\r\n1,2024-01-01,a\x00b\n2,2024-01-01,\xff\xfe\r3,2024-01-01,"x\n4,2024-01-01,y\n'
    ),
    "json: a number of a million digits": lambda: (
        b'{"order_id":"a","ordered_at":"2024-01-01","total":' + b"9" * 1_000_000 + b"}\n"
    ),
    "json: 20,000 rows of a thousand keys": lambda: ndjson_of_many_keys(20_000, 990),
    "csv: JSON nested 200,000 times in a cell": lambda: (
        b"order_id,ordered_at,note\n1,2024-01-01," + b"[" * 200_000 + b"]" * 200_000 + b"\n"
    ),
    "csv that is gzip": lambda: gzip.compress(delimited()),
}


@pytest.fixture
def sink() -> Iterator[tuple[str, list[str]]]:
    """An address, and who asked there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x", asked
    server.shutdown()
    thread.join()
    server.server_close()


def next_is_read(shop: Shop, name: str) -> None:
    outcome = shop.upload("orders", f"good {len(name)}.csv", GOOD.format(name.replace(",", "")))
    assert (outcome.status, outcome.counts.accepted) == ("loaded", 1)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_held_with_its_reason_and_the_next_upload_is_read(shop, sink, name):
    address, asked = sink
    made, code = REFUSED[name]
    content = bombs.elsewhere(address) if "address" in name else made()
    outcome = shop.upload("orders", "bomb.csv", content)
    assert (outcome.status, outcome.reason_code) == ("held", code), outcome.reason
    assert 10 < len(outcome.reason) < 400
    assert not asked
    next_is_read(shop, name)


@pytest.mark.parametrize("name", HELD_OR_RIGHT)
def test_an_odd_file_is_held_or_its_rows_add_up_and_the_next_upload_is_read(shop, name):
    outcome = shop.upload("orders", "odd.csv", HELD_OR_RIGHT[name]())
    counts = outcome.counts
    assert outcome.status in ("held", "loaded")
    assert counts.received == counts.accepted + counts.held + counts.duplicate
    next_is_read(shop, name)


def test_an_error_does_not_say_the_line(shop):
    outcome = shop.upload("orders", "secret.csv", b"order_id,ordered_at\n" + b"hunter2" * 2 * MEBIBYTE)
    assert outcome.status == "held"
    assert "hunter2" not in outcome.reason


def test_a_file_of_ten_thousand_new_columns_is_held_and_changes_no_contract(shop):
    before = shop.rows("DESCRIBE orders")
    names = ",".join(f"n{number}" for number in range(10_000))
    outcome = shop.upload("orders", "wide.csv", f"order_id,ordered_at,{names}\n1,2024-01-01{',1' * 10_000}\n")
    assert (outcome.status, outcome.reason_code) == ("held", "unreadable")
    assert shop.rows("DESCRIBE orders") == before


@pytest.mark.parametrize(
    "names",
    [
        "a\"b,c'd,e;f",
        "id,ID,Id",
        ",,",
        "x" * 65_536 + ",b,c",
        "rowid,filename,file_row_number",
        "_row,_held,_original",
        "_problem,_line,_duplicate",
        "text order_id,raw order_id,select",
        '"a\nb",b,c',
        "order_id; DROP TABLE orders,b,c",
    ],
)
def test_any_names_of_columns_are_taken_or_renamed(shop, names):
    outcome = shop.upload("orders", "names.csv", f"order_id,ordered_at,{names}\nn{abs(hash(names))},2024-01-01,1,2,3\n")
    assert (outcome.status, outcome.counts.accepted) == ("loaded", 1), outcome.reason
    assert all(len(name) <= 63 for name, *_ in shop.rows("DESCRIBE orders"))


@pytest.mark.parametrize("dataset", ["main", "memory", "lake", "duckdb_logs", "pg_class", "sqlite_master"])
def test_no_dataset_is_called_as_the_engine_s_own(shop, dataset):
    outcome = shop.upload(dataset, "a.csv", "id,name\n1,a\n")
    assert (outcome.status, outcome.reason_code) == ("held", "contract")


@pytest.mark.parametrize(
    "name",
    [
        "a?s3_endpoint=h.csv", "a#b.csv", "../../x.csv", "..", "./x.csv", "a//b.csv", "a\r\nX-Evil: 1.csv",
        "a\x1bb.csv", "a\u202evsc.exe", "\\\\host\\share.csv", "C:\\x.csv", "x" * 2_000,
    ],
)  # fmt: skip
def test_an_upload_whose_name_may_be_taken_for_more_is_held_unread(shop, name):
    upload = replace(shop.put("orders", "plain.csv", GOOD.format("x")), key=f"inbox/shop/orders/{name}")
    outcome = shop.ingest(upload)
    assert (outcome.status, outcome.reason_code) == ("held", "unknown_inbox_key")


@pytest.mark.parametrize("name", ["50% off [1] {a,b} *.csv", "übung 😀.csv", "a+b %2e%2e.csv", "'; DROP TABLE x.csv"])
def test_an_upload_may_have_any_other_name(shop, name):
    outcome = shop.upload("orders", name, GOOD.format(f"n{len(name)}"))
    assert outcome.status == "loaded"


def test_the_lake_holds_what_it_should_after_all_that(shop):
    assert shop.upload("customers", "c.csv", "customer_id,name\n1,Ann\n").status == "loaded"
    rows = delimited().replace(b"\no", b"\nlast")
    assert shop.upload("orders", "last.csv", rows).counts.accepted == len(ROWS)
    assert shop.rows("SELECT count(*) FROM orders WHERE order_id LIKE 'last%'") == [(len(ROWS),)]
