"""Who is slow, H42 of docs/security.md: heads, bodies and connections that stand still are ended; raw sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from shared.api.app import ApiRules
from shared.cli import server as server_module
from tests.api_shop import ApiShop, api_shop_in
from tests.raw_http import Raw, RawServer, chunked, received, require_problem, served

POST = "POST /v1/datasets/orders/rows HTTP/1.1"
JSON = "Content-Type: application/json"
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    return api_shop_in(tmp_path_factory.mktemp("slow"), ingest=False, rules=ApiRules(body_seconds=0.6))


@pytest.fixture(scope="module")
def server(api: ApiShop) -> Iterator[RawServer]:
    with served(api.app, head_seconds=0.6) as running:
        yield running


@pytest.fixture(scope="module")
def key(api: ApiShop) -> str:
    return f"Authorization: {api.client.headers['authorization']}"


def dripped(server: RawServer, first: bytes, *, every: float = 0.2, times: int = 20) -> tuple[Raw, float]:
    """Send one byte after another; the answer, and the seconds it took."""
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(first)
        connection.settimeout(every)
        for _ in range(times):
            try:
                if connection.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                pass
            connection.send(b"a")
        return received(connection, waits=0.2), time.monotonic() - began


def test_h42_a_body_of_one_byte_now_and_then_is_ended(server: RawServer, key: str) -> None:
    head = f"{POST}\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nContent-Length: 1000\r\n\r\n"
    answer, seconds = dripped(server, head.encode())
    require_problem(answer, 408, "body_too_slow")
    assert 0.5 < seconds < 2


def test_h42_a_body_that_stands_still_is_ended(server: RawServer, key: str) -> None:
    began = time.monotonic()
    answer = server.ask(POST, key, JSON, "Content-Length: 1000", body=b"{")
    require_problem(answer, 408, "body_too_slow")
    assert time.monotonic() - began < 2


def test_h42_a_head_of_one_byte_now_and_then_is_ended_also_on_a_connection_that_was_used(server: RawServer) -> None:
    answer, seconds = dripped(server, b"GET /v1/health HTTP/1.1\r\nX: ")
    require_problem(answer, 408, "body_too_slow")
    assert seconds < 2
    with server.connect() as connection:
        connection.sendall(HEALTH)
        assert received(connection, waits=0.1).status == 200
        connection.sendall(b"GET ")
        assert received(connection, waits=3).status == 408


def test_h42_a_connection_on_which_nothing_is_asked_is_closed(server: RawServer) -> None:
    with server.connect() as connection:
        assert received(connection, waits=0.2).closed


def test_h42_a_length_that_is_too_large_is_refused_before_anything_of_it_came(server: RawServer, key: str) -> None:
    answer = server.ask(POST, key, JSON, "Content-Length: 11000000", body=b"{")
    require_problem(answer, 413, "body_too_large")


def test_h42_a_body_without_a_length_is_counted_as_it_comes(server: RawServer, key: str) -> None:
    body = chunked(*[b" " * 60_000] * 40)
    answer = server.ask(POST, key, JSON, "Transfer-Encoding: chunked", body=body)
    require_problem(answer, 413, "body_too_large")


def test_h42_a_body_shorter_than_its_length_is_no_body(server: RawServer, key: str) -> None:
    with server.connect() as connection:
        connection.sendall(f"{POST}\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nContent-Length: 9\r\n\r\n{{}}".encode())
        connection.shutdown(socket.SHUT_WR)
        assert received(connection, waits=0.2).status in (0, 408)
    assert server.ask("GET /v1/health HTTP/1.1").status == 200


def test_h42_who_was_refused_and_goes_on_sending_is_cut_off(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LINGER_SECONDS", 0.3)
    head = f"{POST}\r\nHost: localhost\r\n{JSON}\r\nContent-Length: 900000\r\n\r\n"
    began = time.monotonic()
    with server.connect() as connection:
        connection.sendall(head.encode())
        assert received(connection, waits=0.1).status == 401
        while time.monotonic() - began < 3:
            try:
                connection.send(b"a")
            except ConnectionError:
                break
            time.sleep(0.05)
    assert 0.2 < time.monotonic() - began < 3


def test_h42_no_more_connections_than_there_may_be_are_kept(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    open_ones = [server.connect() for _ in range(3)]
    try:
        assert server.send(HEALTH).status == 0
    finally:
        for one in open_ones:
            one.close()
    time.sleep(0.1)
    assert server.send(HEALTH).status == 200
