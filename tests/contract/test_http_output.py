"""What goes out, H80, H81, H94 and H99 of docs/security.md: cells, names, failures and headers."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from shared.answers.encode import csv_body
from shared.api.app import ApiRules
from shared.api.headers import API_POLICY, SECURITY_HEADERS
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.api_shop import SECRET, api_shop_in, client_of
from tests.published_web import PublishedWeb, published_web_on
from tests.servers import open_store

ORDERS = "order_id,ordered_at,total\n"


def web_in(folder: Path) -> PublishedWeb:
    web = published_web_on(FolderStore(folder, SECRET, "http://localhost"), SqlLimits(seconds=10, memory_mb=256))
    web.shop.upload("orders", "o.csv", ORDERS + "".join(f"{n},2024-01-0{n},{n}.50\n" for n in range(1, 8)))
    web.fresh()
    return web


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = web_in(tmp_path_factory.mktemp("out"))
    yield web
    web.runner.close()
    web.later.close()


# --- H80: CSV that a spreadsheet opens -------------------------------------------------------------------------------

FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", "\0x", "＝1", "＋1", "－1", "＠x",
    '="a","b"',
    "-2+3+cmd|' /C calc'!D2", '=HYPERLINK("https://evil.example","x")',
]  # fmt: skip
TEXTS = ["a=b", " =1", "'=1", 'say "hi"', "a,b", "two\nlines", "x\r\ny", "", "é", "1", "a;=1"]


def test_h80_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_all_else_is_as_it_was(web: PublishedWeb) -> None:
    client = web.client("sql")
    for text in [one for one in FORMULAS if "\0" not in one] + TEXTS:
        asked = {"sql": "SELECT $t AS t, -1.5 AS n, -7 AS i", "parameters": {"t": text}, "format": "csv"}
        rows = list(csv.reader(io.StringIO(client.post("/v1/sql", json=asked).text, newline="")))
        assert rows[1:] == [["'" + text if text in FORMULAS else text, "-1.5", "-7"]], "a number is never touched"
    assert csv_body(["=x"], [["\0x"], [-1]]) == b"'=x\r\n'\x00x\r\n-1\r\n"


def test_h80_rows_questions_and_held_rows_keep_to_it_too_and_names_of_columns_as_well(tmp_path: Path) -> None:
    api = api_shop_in(tmp_path)
    body = "order_id,ordered_at,total,status\n=1+1,2024-01-01,-5,@x\nb,never,-5,=cmd\n"
    told = api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=body).json()
    [row] = csv.DictReader(io.StringIO(api.client.get("/v1/datasets/orders/rows?format=csv").text))
    assert (row["order_id"], row["total"], row["status"]) == ("'=1+1", "-5.0000", "'@x")
    held = api.client.get(f"/v1/uploads/{told['upload_id']}/held?format=csv").text
    [bad] = csv.DictReader(io.StringIO(held))
    assert bad["text"] == "never"
    assert bad["original"].startswith("{"), "what was sent, as JSON inside the cell"
    assert json.loads(api.client.get("/v1/datasets/orders/rows").text)["rows"][0]["order_id"] == "=1+1", "JSON is exact"


def test_h80_lines_end_and_quotes_stand_as_rfc_4180_says(web: PublishedWeb) -> None:
    asked = {"sql": "SELECT 'a\"b' AS \"x,y\", 'c\nd' AS z, NULL AS n", "format": "csv"}
    answer = web.client("sql").post("/v1/sql", json=asked)
    assert answer.content == b'"x,y",z,n\r\n"a""b","c\nd",\r\n'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


# --- H81: names in headers -------------------------------------------------------------------------------------------

NAMES = [
    'a"b.csv',
    "a\r\nSet-Cookie: x=1.csv",
    "a;filename=b.exe",
    "ü☃.csv",
    "..\\..\\x",
    "\u202egpj.exe",
    "a\x00b",
    "%0d%0aX: y",
]


@pytest.mark.parametrize("name", NAMES)
def test_h81_a_filename_is_encoded_in_its_header_and_nothing_else(tmp_path: Path, name: str) -> None:
    api = api_shop_in(tmp_path, ingest=False)
    store = api.shop.store
    store.put("lake/shop/answers/x.csv", b"a\n")
    answer = api.anonymous().get(store.sign_get("lake/shop/answers/x.csv", seconds=60, filename=name).url)
    told = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9_.~%/-]+", told)
    assert unquote(told.partition("''")[2]) == name
    assert "set-cookie" not in answer.headers
    s3 = open_store({"kind": "s3", "bucket": "b", "prefix": "", "endpoint": "http://127.0.0.1:9"})
    asked = parse_qs(urlsplit(s3.sign_get("k", seconds=60, filename=name).url).query)
    [disposition] = asked["response-content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9_.~%-]+", disposition)


# --- H94: failures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["deleted", "cut short", "not Parquet"])
def test_h94_a_data_file_that_is_damaged_is_told_in_fixed_words(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    web = published_web_on(FolderStore(tmp_path), SqlLimits(seconds=10, memory_mb=256))
    lines = "".join(f"{n},2024-01-{1 + n % 28:02},{n}.50\n" for n in range(3_000))
    web.shop.upload("orders", "o.csv", ORDERS + lines)
    web.fresh()
    files = [path for path in tmp_path.rglob("*.parquet") if "/data/" in str(path)]
    assert files
    for path in files:
        if what == "deleted":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:500] if what == "cut short" else b"x" * path.stat().st_size)
    client = web.client("read", "sql")
    with caplog.at_level(logging.CRITICAL):
        answers = [
            client.get("/v1/datasets/orders/rows?total__gt=5"),
            client.get("/v1/datasets/orders/rows/7"),
            client.post("/v1/sql", json={"sql": "SELECT max(total) FROM orders"}),
            client.get("/v1/sales/by?dimension=country"),
        ]
    for answer in answers:
        if answer.status_code == 200:
            continue  # from a rollup, which is another file, or from statistics
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable"), answer.text
        assert set(answer.json()) == {"type", "title", "status", "code", "detail", "request_id"}
        for secret in (str(tmp_path), ".parquet", "lake/", "data/", "Error", "IO", "ducklake", "Traceback"):
            assert secret not in answer.text
    assert sum(answer.status_code == 503 for answer in answers) >= 2
    web.runner.close()


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT CAST('x' AS INTEGER)", "failed_sql"),
        ("SELECT 9223372036854775807 + total FROM orders; SELECT 1", "refused_sql"),
        ("SELECT totl FROM orders", "invalid_sql"),
        ("SELECT nope(1)", "refused_sql"),
        ("SELEC 1", "invalid_sql"),
        ("SELECT error('a secret /etc/passwd')", "refused_sql"),
        ("SELECT repeat('x', 100000000000)", "sql_needs_too_much"),
        ("SELECT list_reverse(range(10000000000))", "sql_needs_too_much"),
    ],
)
def test_h94_every_error_of_the_engine_has_the_same_shape_and_tells_nothing_of_the_house(
    web: PublishedWeb, sql: str, code: str
) -> None:
    answer = web.client("sql").post("/v1/sql", json={"sql": sql})
    told = answer.json()
    assert answer.status_code in (422, 503)
    assert told["code"] in (code, "failed_sql", "refused_sql", "sql_took_too_long", "sql_crashed"), told
    assert {"type", "title", "status", "code", "detail", "request_id"} <= set(told)
    for secret in ("/tmp", "/etc", "catalog-", "Traceback", "duckdb/", "memory_limit", "teal-cell"):
        assert secret not in answer.text
    assert web.client("sql").post("/v1/sql", json={"sql": "SELECT 1 AS a"}).status_code == 200


def test_h94_a_store_that_is_gone_is_told_in_fixed_words(tmp_path: Path) -> None:
    web = web_in(tmp_path / "store")
    client = web.client("read")
    assert client.get("/v1/datasets").status_code == 200
    shutil.rmtree(tmp_path / "store" / "lake")
    web.fresh()
    for path in ("/v1/datasets", "/v1/sales/summary", "/v1/uploads", "/v1/datasets/orders/rows"):
        answer = client.get(path)
        assert answer.status_code in (200, 404, 503), answer.text
        assert str(tmp_path) not in answer.text
        assert "Error" not in answer.text
    web.runner.close()


# --- H99: headers ----------------------------------------------------------------------------------------------------


def test_h99_every_kind_of_answer_has_every_header(web: PublishedWeb, tmp_path: Path) -> None:
    shop = "https://shop.example"
    listed = api_shop_in(tmp_path, ingest=False, rules=ApiRules(cors_origins=(shop,)))
    client, stranger = web.client("read", "write", "sql"), client_of(web.app, "")
    etag = client.get("/v1/datasets").headers["etag"]
    preflight = {"Origin": shop, "Access-Control-Request-Method": "GET"}
    answers = {
        200: client.get("/v1/datasets"), 201: client.post("/v1/uploads", json={"filename": "a.csv"}),
        202: client.get("/v1/sales/summary", headers={"Prefer": "respond-async"}),
        304: client.get("/v1/datasets", headers={"If-None-Match": etag}),
        400: client.post("/v1/sql", content=b"{", headers={"Content-Type": "application/json"}),
        401: stranger.get("/v1/datasets"), 403: client.put("/v1/published/x", json={}), 404: client.get("/v1/my/never"),
        405: client.delete("/v1/datasets"), 413: client.post("/v1/sql", json={"sql": "x" * 1_000_001}),
        415: client.post("/v1/sql", content=b"x", headers={"Content-Type": "text/plain"}),
        422: client.post("/v1/sql", json={}), 431: client.get("/v1/health", headers={"X": "a" * 40_000}),
    }  # fmt: skip
    assert {code: answer.status_code for code, answer in answers.items()} == {code: code for code in answers}
    preflights = [
        listed.anonymous().options("/v1/datasets", headers=preflight | more) for more in ({}, {"Origin": "null"})
    ]
    for answer in (*answers.values(), *preflights, client.head("/v1/datasets"), stranger.get("/v1/problems/internal")):
        for name, value in SECURITY_HEADERS.items():
            if name == "Cache-Control":
                assert answer.headers[name]
            else:
                assert answer.headers[name] == value, (answer.status_code, name)
        assert answer.headers["content-security-policy"] == API_POLICY
        assert not {"server", "x-powered-by", "set-cookie", "x-aspnet-version"} & set(answer.headers)
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
