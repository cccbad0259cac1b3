"""uvicorn, behind one door and as strict as a gateway: ``teal run`` has nothing else in front of it.

The rule: what RFC 9112 lets a server put up with is refused here, nobody holds a connection without using it, and what
is refused before there is a request looks like every other problem.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import sys
import uuid
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from h11._receivebuffer import ReceiveBuffer
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.api.bodies import BodyTooSlowError
from shared.api.gate import HeadersTooLargeError, MalformedRequestError
from shared.api.headers import SECURITY_HEADERS
from shared.api.problems import problem
from shared.errors import AppError

log = logging.getLogger("teal.requests")

MAX_CONNECTIONS = 500
"""At the same time; more are closed as they come."""

MAX_HEAD_BYTES = 65_536
"""Request line and headers. The API itself takes half of it, and says so with the caller's request id."""

HEAD_SECONDS = 20.0
"""From the first byte of a request, or the connection, to its last header."""

IDLE_SECONDS = 5
"""Between requests of a connection."""

LINGER_SECONDS = 5.0
"""A caller that was answered before it had sent its whole body may read the answer for so long."""

STALL_SECONDS = 300.0
"""A caller that takes longer to read what is on its way is not waited for."""

_BLANK_LINE = re.compile(rb"\n\r?\n")
_LOOSE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]")
"""A line feed or return of its own, and a line that continues the one before."""


def server_of(app: Callable[..., Any], *, head_seconds: float = HEAD_SECONDS) -> uvicorn.Server:
    """A server for one ASGI app; ``run(sockets=…)`` serves until a signal comes."""

    class Protocol(StrictProtocol):
        seconds = head_seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        # Who asks is told by a credential, and where we are by a setting: no header of a proxy is believed.
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    return uvicorn.Server(config)


class StrictBuffer(ReceiveBuffer):
    """What came in and was not yet understood; a head is handed on if every server reads it alike."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """See ReceiveBuffer. Raises LocalProtocolError, which h11 takes for the other side's."""
        if end := _BLANK_LINE.search(self._data, self._multiple_lines_search):
            if end.end() > MAX_HEAD_BYTES:
                raise h11.LocalProtocolError("too long a head", error_status_hint=431)
            if _LOOSE.search(self._data, 0, end.end()):
                raise h11.LocalProtocolError("a loose end of a line")
        return super().maybe_extract_lines()


class StrictProtocol(H11Protocol):
    """One connection. What uvicorn would answer by itself is a problem with all headers."""

    seconds: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn._receive_buffer = StrictBuffer()  # h11 has no other way to look at a head as it came
        self._waits_for_head: asyncio.TimerHandle | None = None
        self._waits_for_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
        """See asyncio.Protocol."""
        super().connection_made(transport)
        # asyncio only does it where the listening socket names its protocol, and a body that is sent after its head
        # would wait for the other side's delayed acknowledgement: 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waits_for_head is None:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """See H11Protocol."""
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(LINGER_SECONDS, self._end_body)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._waits_for_reader = self.loop.call_later(STALL_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._waits_for_reader is not None:
            self._waits_for_reader.cancel()
            self._waits_for_reader = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and close."""
        # Called while the error is handled, and told no more of it than its text.
        if getattr(sys.exception(), "error_status_hint", 400) == 431:
            self._refuse(HeadersTooLargeError("The request has too long a head."))
        else:
            self._refuse(MalformedRequestError("This is not an HTTP request that everybody would read alike."))

    def _wait_for_head(self) -> None:
        late = BodyTooSlowError("The request came too slowly.")
        self._waits_for_head = self.loop.call_later(self.seconds, self._refuse, late)

    def _stop_waiting(self) -> None:
        if self._waits_for_head is not None:
            self._waits_for_head.cancel()
            self._waits_for_head = None

    def _end_body(self) -> None:
        if self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self.transport.close()

    def _refuse(self, error: AppError) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            request_id = uuid.uuid4().hex
            answer = problem(error, request_id)
            answer.headers.update(SECURITY_HEADERS | {"X-Request-ID": request_id, "Connection": "close"})
            log.info("no request", extra={"request_id": request_id, "status": error.status, "error_code": error.code})
            for event in (
                h11.Response(status_code=answer.status_code, headers=answer.raw_headers),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
