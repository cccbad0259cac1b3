"""An app behind the server of ``teal run``, on 127.0.0.1, and requests to it byte by byte as no library would send."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from shared.api.headers import SECURITY_HEADERS
from shared.cli.server import server_of

SECONDS = 10.0
"""No exchange takes as long."""


@dataclass(frozen=True)
class Raw:
    """What came back: ``rest`` is what followed the first answer, ``closed`` whether the server closed."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rest: bytes
    closed: bool

    def header(self, name: str) -> str:
        """The one header of that name, or ""."""
        found = [value for one, value in self.headers if one == name]
        assert len(found) <= 1, found
        return found[0] if found else ""


@dataclass(frozen=True)
class RawServer:
    """A running server, with the protocols of its open connections."""

    port: int
    connections: set[Any]

    def connect(self) -> socket.socket:
        """A new connection."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, data: bytes, *, waits: float = 0.05) -> Raw:
        """One request as it is, and whatever comes back until nothing does for ``waits`` seconds."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was refused before all of it was sent
            return received(connection, waits=waits)

    def ask(self, line: str, *headers: str, body: bytes = b"", **more: Any) -> Raw:
        """A request of a line, headers and a body; ``Host`` is there already."""
        head = "".join(f"{one}\r\n" for one in (line, "Host: localhost", *headers))
        return self.send(head.encode("latin-1") + b"\r\n" + body, **more)


@contextmanager
def served(app: FastAPI, **more: float) -> Iterator[RawServer]:
    """Serve an app while the block runs."""
    door = socket.create_server(("127.0.0.1", 0))
    server = server_of(app, **more)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield RawServer(door.getsockname()[1], server.server_state.connections)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(SECONDS)
        door.close()


def received(connection: socket.socket, *, waits: float) -> Raw:
    """Read until the server closes, or nothing more comes for ``waits`` seconds after the first answer."""
    data, closed = bytearray(), False
    connection.settimeout(SECONDS)
    while True:
        try:
            part = connection.recv(65_536)
        except TimeoutError:
            break
        except ConnectionResetError:
            closed = True
            break
        if not part:
            closed = True
            break
        data += part
        connection.settimeout(waits if _first(bytes(data)) else SECONDS)
    first = _first(bytes(data))
    if first is None:
        return Raw(0, [], b"", bytes(data), closed)
    status, headers, body, rest = first
    return Raw(status, headers, body, rest, closed)


def _first(data: bytes) -> tuple[int, list[tuple[str, str]], bytes, bytes] | None:
    """The first answer, if it is there as a whole; its length is told by Content-Length or by chunks that we never
    send."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    length = int(dict(headers).get("content-length", "0"))
    if len(rest) < length:
        return None
    return int(lines[0].split()[1]), headers, rest[:length], rest[length:]


def require_problem(answer: Raw, status: int, code: str) -> None:
    """A problem document with every header that any other answer has."""
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code), answer
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("x-request-id") == json.loads(answer.body)["request_id"]
    for name, value in SECURITY_HEADERS.items():
        assert answer.header(name.lower()) == value
    assert answer.header("server") == ""


def chunked(*parts: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
