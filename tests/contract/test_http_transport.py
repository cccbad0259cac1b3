"""HTTP itself, H87 to H90 and H92 of docs/security.md: the server of ``teal run`` and raw sockets, nothing between."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.api_shop import ApiShop, api_shop_in
from tests.raw_http import RawServer, chunked, received, require_problem, served


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    return api_shop_in(tmp_path_factory.mktemp("raw"), ingest=False)


@pytest.fixture(scope="module")
def server(api: ApiShop) -> Iterator[RawServer]:
    with served(api.app) as running:
        yield running


@pytest.fixture(scope="module")
def key(api: ApiShop) -> str:
    return f"Authorization: {api.client.headers['authorization']}"


# --- H87: two servers in a row must see the same requests ------------------------------------------------------------

POST = "POST /v1/datasets/orders/rows HTTP/1.1"
JSON = "Content-Type: application/json"
SMUGGLED = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Content-Length: 4", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked, chunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding: xchunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding: gzip, chunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding : chunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding:\tchunked\x0b",), b"0\r\n\r\n"),
        (("Content-Length: 0", "Content-Length: 5"), b"{}   "),
        (("Content-Length: 0, 5",), b"{}   "),
        (("Content-Length: +2",), b"{}"),
        (("Content-Length: 0x2",), b"{}"),
        (("Content-Length: -1",), b"{}"),
        (("Content-Length: 2_0",), b"{}"),
        (("Content-Length: " + "9" * 30,), b"{}"),
        (("Transfer-Encoding: chunked",), b"2;\n\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"-2\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"0x2\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"2\r\n{}0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"ffffffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"2\r\n{}\r\n0\r\nX: a\n\r\n\r\n"),
    ],
)
def test_h87_a_length_that_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_answered(
    server: RawServer, key: str, headers: tuple[str, ...], body: bytes
) -> None:
    answer = server.ask(POST, key, JSON, *headers, body=body + SMUGGLED)
    require_problem(answer, 400, "malformed_request")
    assert b"alive" not in answer.rest
    assert answer.closed


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/health HTTP/1.1\nHost: localhost\n\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\n",
        b"\nGET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n 2\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n\t2\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX\x00: a\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX y: 1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n: 1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET  /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health extra HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health\r\n\r\n",
        b"GET /v1/h\xe9alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health HTTP/9.99\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_h87_h88_a_head_that_is_not_written_as_the_standard_says_is_refused(server: RawServer, head: bytes) -> None:
    answer = server.send(head)
    assert answer.status == 400, answer
    require_problem(answer, 400, "malformed_request")
    assert answer.closed


def test_a_plain_request_is_answered_in_chunks_in_pieces_and_one_after_another(server: RawServer, key: str) -> None:
    body = chunked(b'{"filename"', b': "a.csv"}')
    answer = server.ask("POST /v1/uploads HTTP/1.1", key, JSON, "Transfer-Encoding: chunked", body=body)
    assert answer.status == 201
    with server.connect() as connection:
        for byte in SMUGGLED:
            connection.send(bytes([byte]))
        assert received(connection, waits=0.1).status == 200
        connection.sendall(SMUGGLED * 2)
        answer = received(connection, waits=0.2)
        assert answer.status == 200
        assert answer.rest.startswith(b"HTTP/1.1 200 ")


def test_no_part_of_an_answer_waits_for_an_acknowledgement(server: RawServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert received(connection, waits=0.05).status == 200
        at = connection.getsockname()
        (accepted,) = [one.transport for one in list(server.connections) if one.client == at]
        assert accepted.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- H88: headers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        ("X: " + "a" * 33_000,),
        ("X: " + "a" * 100_000,),
        tuple(f"X-{n}: a" for n in range(101)),
        tuple(f"X-{n}: a" for n in range(10_000)),
    ],
    ids=["33 kB", "100 kB", "101", "10,000"],
)
def test_h88_too_many_or_too_long_headers_are_refused(server: RawServer, headers: tuple[str, ...]) -> None:
    require_problem(server.ask("GET /v1/health HTTP/1.1", *headers), 431, "headers_too_large")


def test_h88_an_address_that_is_too_long_is_refused(server: RawServer) -> None:
    require_problem(server.ask(f"GET /v1/health?{'a' * 17_000} HTTP/1.1"), 431, "headers_too_large")


def test_h88_a_head_without_end_is_ended(server: RawServer) -> None:
    require_problem(server.send(b"GET /" + b"a" * 200_000), 431, "headers_too_large")


def test_h88_latin_1_in_a_header_is_a_value_like_any_other(server: RawServer) -> None:
    answer = server.ask("GET /v1/datasets HTTP/1.1", "Authorization: Bearer \xe9\xff", "Accept: \xff")
    require_problem(answer, 401, "unauthenticated")


# --- H89, H90: addresses and methods ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "//v1/datasets", "/v1//datasets", "/v1/./datasets", "/v1/x/../datasets", "/v1/datasets/", "/v1/datasets/.",
        "/v1/datasets;a=b", "/v1;x/datasets", "/V1/DATASETS", "/v1/datasets%00", "/v1/datasets%2f", "/v1%2fdatasets/x",
        "/%2e%2e/v1/datasets", "/v1/datasets%20", "/v1/datasets%0d%0aX:%20y", "/v1\\datasets", "/v1/datasets%23",
        "/v1/datasets%3fa=b", "*", "http://localhost/v1/datasets", "//evil.example/v1/datasets",
    ],
)  # fmt: skip
def test_h89_another_spelling_of_an_address_is_no_address(server: RawServer, key: str, path: str) -> None:
    known, unknown = server.ask(f"GET {path} HTTP/1.1", key), server.ask(f"GET {path} HTTP/1.1")
    assert known.status == 404
    assert unknown.status in (401, 404)
    assert b"evil" not in known.body + unknown.body


def test_h89_an_address_that_is_percent_encoded_is_the_same_address_with_the_same_key(
    server: RawServer, key: str
) -> None:
    require_problem(server.ask("GET /v1/%64atasets HTTP/1.1"), 401, "unauthenticated")
    assert server.ask("GET /v1/%64atasets HTTP/1.1", key).status == 200


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "OPTIONS", "DEBUG", "get", "SEARCH"])
def test_h90_a_method_that_is_none_of_the_address_is_refused_without_an_echo(server: RawServer, method: str) -> None:
    answer = server.ask(f"{method} /v1/health HTTP/1.1", "X-Probe: echo-me")
    require_problem(answer, 405, "method_not_allowed")
    assert b"echo-me" not in answer.body
    assert "echo-me" not in str(answer.headers)


def test_h90_the_server_is_no_proxy(server: RawServer) -> None:
    assert server.ask("CONNECT evil.example:443 HTTP/1.1").status in (400, 404)
    assert server.ask("OPTIONS * HTTP/1.1").status == 404


def test_h90_no_upgrade_is_made(server: RawServer) -> None:
    asked = ("Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    for to in ("websocket", "h2c"):
        assert server.ask("GET /v1/health HTTP/1.1", f"Upgrade: {to}", *asked).status == 200


# --- H92: what there is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/debug", "/metrics", "/.env", "/.git/config", "/v0/health", "/v2/health", "/beta", "/admin", "/redoc"],
)
def test_h92_nothing_is_there_that_is_not_in_the_document(server: RawServer, path: str) -> None:
    require_problem(server.ask(f"GET {path} HTTP/1.1"), 404, "not_found")
