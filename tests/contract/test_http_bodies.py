"""Bodies of requests, H12, H43 to H45 and H91 of docs/security.md: at every address that reads JSON."""

from __future__ import annotations

import gzip
import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.api import auth
from shared.errors import MalformedJsonError
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from shared.strict_json import MAX_DEPTH, MAX_NAMES, MAX_VALUES, json_from
from tests.api_shop import code_of
from tests.published_web import PublishedWeb, published_web_on

AS_JSON = {"Content-Type": "application/json"}
HALF = "\\ud800"

HOSTILE: dict[str, Callable[[], bytes]] = {
    "100,000 deep": lambda: b"[" * 100_000,
    "100,000 deep and closed": lambda: b"[" * 100_000 + b"]" * 100_000,
    "objects, 500 deep": lambda: b'{"a":' * 500 + b"1" + b"}" * 500,
    "just too deep": lambda: b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    "many names": lambda: json.dumps({f"n{n}": 1 for n in range(MAX_NAMES + 1)}).encode(),
    "90,000 names": lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}",
    "half a million values": lambda: b"[" + b"0," * 499_000 + b"0]",
    "empty objects": lambda: b"[" + b"{}," * 330_000 + b"{}]",
    "a name twice": lambda: b'{"sql": "SELECT 1", "sql": "SELECT 2", "filename": "a.csv", "filename": "b.csv"}',
    "a name twice inside": lambda: b'{"sql": "SELECT 1", "parameters": {"a": 1, "a": 2}}',
    "a name twice, once escaped": lambda: b'{"sql": "SELECT 1", "\\u0073ql": "SELECT 2"}',
    "900,000 digits": lambda: b'{"limit": ' + b"9" * 900_000 + b"}",
    "NaN": lambda: b'{"sql": "SELECT $a", "parameters": {"a": NaN}}',
    "Infinity": lambda: b'{"sql": "SELECT $a", "parameters": {"a": -Infinity}}',
    "1e400": lambda: b'{"sql": "SELECT $a", "parameters": {"a": 1e400}}',
    "a byte order mark": lambda: b'\xef\xbb\xbf{"sql": "SELECT 1"}',
    "half a pair": lambda: b'{"sql": "SELECT \'%s\'", "filename": "%s"}' % (HALF.encode(), HALF.encode()),
    "half a pair as a name": lambda: b'{"%s": 1}' % HALF.encode(),
    "bytes of half a pair": lambda: b'{"sql": "\xed\xa0\x80"}',
    "UTF-16": lambda: '{"sql": "SELECT 1"}'.encode("utf-16"),
    "UTF-16 without a mark": lambda: '{"sql": "SELECT 1"}'.encode("utf-16-be"),
    "UTF-32": lambda: '{"sql": "SELECT 1"}'.encode("utf-32"),
    "Latin-1": lambda: '{"sql": "é"}'.encode("latin-1"),
    "two documents": lambda: b'{"sql": "SELECT 1"} {"sql": "SELECT 2"}',
    "a comment": lambda: b'{"sql": "SELECT 1" /* , */}',
    "a comma too many": lambda: b'{"sql": "SELECT 1",}',
    "single quotes": lambda: b"{'sql': 'SELECT 1'}",
    "a control character": lambda: b'{"sql": "SELECT\x001"}',
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("bodies")), SqlLimits(seconds=3, memory_mb=256))
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,total\n1,2024-01-01,5\n")
    web.fresh()
    yield web
    web.runner.close()


def reading_json(web: PublishedWeb) -> list[tuple[str, str]]:
    """Method and path of every route that reads JSON, with something in its places."""
    told = [
        (method, path, operation["requestBody"])
        for path, operations in web.app.openapi()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert all("application/json" in body["content"] for *_, body in told)
    places = {"{dataset}": "orders", "{key}": "1", "{name}": "mine", "{upload_id}": "u" + "0" * 23}
    found = []
    for method, path, _ in told:
        address = path
        for place, value in places.items():
            address = address.replace(place, value)
        found.append((method.upper(), address))
    assert len(found) >= 8
    assert ("POST", "/v1/sql") in found
    return found


# --- H44: JSON -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", HOSTILE)
def test_h44_json_that_is_hostile_or_has_two_meanings_is_refused_at_every_address(web: PublishedWeb, what: str) -> None:
    body, client = HOSTILE[what](), web.client("read", "write", "sql", "admin")
    before = {info.key for info in web.shop.store.list("")}
    began = time.perf_counter()
    for method, path in reading_json(web):
        answer = client.request(method, path, content=body, headers=AS_JSON)
        assert code_of(answer) == (400, "malformed_json"), (method, path, answer.text)
        assert len(answer.content) < 1_000
    assert time.perf_counter() - began < 10
    assert {info.key for info in web.shop.store.list("")} - before <= {
        f"keys/{client.headers['authorization'][12:29]}.json"
    }


@pytest.mark.parametrize("what", ["100,000 deep", "half a million values", "90,000 names", "900,000 digits"])
def test_h44_reading_a_hostile_body_takes_no_more_than_some_times_its_size(what: str) -> None:
    body = HOSTILE[what]()
    tracemalloc.start()
    try:
        with pytest.raises(MalformedJsonError):
            json_from(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000


def test_h44_what_is_honest_json_is_read_as_it_stands() -> None:
    honest = {"a": [1, -0.5, 1e300, 10**30, True, None, "é ☃ 🦆 \u0000"], "b": {"": {}}}
    assert (
        json_from(json.dumps(honest).encode()) == json_from(json.dumps(honest, ensure_ascii=False).encode()) == honest
    )
    assert json_from(b'"\\ud83e\\udd86"') == "🦆"
    deep = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    assert json.dumps(json_from(deep)).encode() == deep
    assert len(json_from(b"[" + b"0," * (MAX_VALUES - 1) + b"0]")) == MAX_VALUES


def test_h44_many_mistakes_are_told_as_some(web: PublishedWeb) -> None:
    client, column = web.client("admin"), {"name": "a", "typ": "text"}
    answer = client.put("/v1/datasets/wide", json={"columns": [column] * 900, "key": ["a"], "x" * 100_000: 1})
    assert code_of(answer) == (422, "invalid_parameter")
    assert len(answer.json()["errors"]) == 50
    assert len(answer.content) < 10_000
    assert code_of(client.put("/v1/datasets/wide", json={"columns": [0] * 60_000, "key": ["a"]}))[0] == 422


# --- H12: values of SQL ----------------------------------------------------------------------------------------------


def test_h12_values_are_typed_or_refused(web: PublishedWeb) -> None:
    client = web.client("sql")

    def told(parameters: object, sql: str = "SELECT $a AS x") -> tuple[int, str]:
        answer = client.post("/v1/sql", json={"sql": sql, "parameters": parameters})
        return (200, answer.json()["rows"][0]["x"]) if answer.status_code == 200 else code_of(answer)

    assert told({"a": 7})[1] == 7
    assert told({"a": "x'; DROP TABLE orders; --"}) == (200, "x'; DROP TABLE orders; --")
    for wrong in ([1], "a", 1, [["a", 1]], {"a": {"b": 1}}, {"a": [[1]]}, {}, {"b": 1}, {"a b": 1}, {"$a": 1}):
        status, _ = told(wrong)
        assert status == 422, wrong
    assert told({f"p{n}": 1 for n in range(1_500)})[0] == 422
    assert told({f"p{n}": 1 for n in range(10_000)}) == (400, "malformed_json")
    assert told({"a": 10**40})[0] in (200, 422)
    assert told({"a": "orders"}, "SELECT count(*) AS x FROM query_table($a)")[0] == 422
    assert told({"a": 1}, "SELECT $a AS x FROM read_csv('/etc/passwd')")[0] == 422


# --- H91: types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media",
    [
        "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json; charset=utf-7", "application/json; charset=UTF-16", "application/json;charset=latin-1",
        "application/json, text/plain", "application/jsonp", "application/jsonx", "json", "*/*", "application/*",
        "application/json charset=utf-8", "\xff", "application/xml+jsonx", 'application/json; charset="utf-7"',
    ],
)  # fmt: skip
def test_h91_only_what_says_that_it_is_json_in_utf_8_is_read(web: PublishedWeb, media: str) -> None:
    headers = {"Content-Type": media.encode("latin-1")} if media else {}
    client = web.client("read", "write", "sql", "admin")
    for method, path in reading_json(web):
        answer = client.request(method, path, content=b'{"sql": "SELECT 1"}', headers=headers)
        assert code_of(answer) == (415, "unsupported_media_type"), (method, path)


@pytest.mark.parametrize(
    "media",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"',
     "application/json; odata=verbose", "application/merge-patch+json"],
)  # fmt: skip
def test_h91_the_ways_to_say_json_are_all_understood(web: PublishedWeb, media: str) -> None:
    answer = web.client("sql").post("/v1/sql", content=b'{"sql": "SELECT 1"}', headers={"Content-Type": media})
    assert answer.status_code == 200


def test_h91_a_body_that_no_header_announces_is_checked_like_any_other(web: PublishedWeb) -> None:
    """Behind a gateway nothing says how long a body is; the app sees it only when it reads."""

    def parts() -> Iterator[bytes]:
        yield b'{"sql": "SELECT 1"}'

    client = web.client("sql")
    request = client.build_request("POST", "/v1/sql", content=parts())
    del request.headers["transfer-encoding"]
    assert code_of(client.send(request)) == (415, "unsupported_media_type")
    request = client.build_request("POST", "/v1/sql", content=iter([b" " * 600_000] * 2), headers=AS_JSON)
    del request.headers["transfer-encoding"]
    assert code_of(client.send(request)) == (413, "body_too_large")


def test_every_router_that_may_read_a_body_does_it_behind_the_guard() -> None:
    unguarded = set()
    for path in Path(auth.__file__).parent.glob("*.py"):
        for call in re.findall(r"APIRouter\(([^)]*)\)", path.read_text(encoding="utf-8")):
            if "route_class=GuardedRoute" not in call:
                unguarded.add(path.name)
    assert unguarded == set()


# --- H43, H45: bodies inside bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "coding", ["gzip", "GZIP", "x-gzip", "gzip, gzip", "br", "deflate", "zstd", "identity, gzip", "?"]
)
def test_h43_a_packed_body_is_refused_and_never_unpacked(web: PublishedWeb, coding: str) -> None:
    client, packed = web.client("read", "write", "sql", "admin"), gzip.compress(b" " * 10_000_000)
    for method, path in (*reading_json(web), ("POST", "/v1/uploads?dataset=orders&filename=a.csv")):
        answer = client.request(method, path, content=packed, headers={**AS_JSON, "Content-Encoding": coding})
        assert code_of(answer) == (415, "unsupported_media_type"), (method, path)


def test_h43_identity_is_no_packing(web: PublishedWeb) -> None:
    headers = {"Content-Encoding": "identity"}
    assert web.client("sql").post("/v1/sql", json={"sql": "SELECT 1"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 10_000,
        b"--x\r\nContent-Disposition: " + b"a" * 900_000,
        b"--x\r\nContent-Disposition: form-data",
        b"a" * 900_000 + b"--x\r\n\r\n",
    ],
    ids=["10,000 parts", "1 MB of a header", "no end", "a long preamble"],
)
def test_h45_no_form_is_read_anywhere(web: PublishedWeb, body: bytes) -> None:
    client, began = web.client("read", "write", "sql", "admin"), time.perf_counter()
    for media in ("multipart/form-data; boundary=x", "multipart/form-data;" + ' boundary="' + ";" * 20_000):
        for method, path in (*reading_json(web), ("POST", "/v1/uploads?dataset=orders&filename=a.csv")):
            answer = client.request(method, path, content=body, headers={"Content-Type": media})
            assert code_of(answer) == (415, "unsupported_media_type"), (method, path)
    assert time.perf_counter() - began < 5
