"""What every response carries, errors too, and the one log line per request; the outermost layer of the app."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.api.problems import internal_problem
from shared.api.used import count_use
from shared.usage import UsageRecord

log = logging.getLogger("teal.requests")

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "accelerometer=(), camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": API_POLICY,
    "Cache-Control": "private, no-store",
}
"""Set unless the route said something of its own."""

EXPOSED_HEADERS = (
    "ETag", "Link", "Location", "Retry-After", "Server-Timing", "Teal-Receipt", "Teal-Snapshot", "X-Request-ID",
)  # fmt: skip

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")


class Envelope:
    """Gives a request its id, its response the headers, a surprise its problem document, and the log its line.

    What was answered is counted in ``usage``, if there is one.
    """

    def __init__(
        self, app: ASGIApp, *, usage: UsageRecord | None = None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app = app
        self._usage = usage
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI; whatever the app raises ends here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._now()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = bytes_sent = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status, bytes_sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-ID"] = request_id
                headers.add_vary_header("Authorization")
                if "teal-snapshot" in headers:
                    state["snapshot"] = int(headers["teal-snapshot"])
            elif message["type"] == "http.response.body":
                bytes_sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("unexpected", extra={"request_id": request_id, "path": scope.get("path")})
            if status:
                # The answer is under way: cutting the connection is the only way left to say that it is not whole.
                raise
            state["error_code"] = "internal"
            await internal_problem(request_id)(scope, receive, send_with_headers)
        finally:
            milliseconds = (self._now() - started) * 1000
            _log_request(scope, status, milliseconds)
            if self._usage is not None:
                await count_use(self._usage, scope, status, milliseconds, bytes_sent)


def _log_request(scope: Scope, status: int, milliseconds: float) -> None:
    state = scope["state"]
    principal = state.get("principal")
    route = scope.get("route")
    log.log(
        logging.ERROR if status >= 500 or not status else logging.INFO,
        "request",
        extra={
            "method": scope["method"],
            # The template, not the path: a path can hold a row's key, which can be somebody's name.
            "route": getattr(route, "path", None) or "(none)",
            "status": status or 499,
            "ms": round(milliseconds, 2),
            "tenant": getattr(principal, "tenant", None),
            "key_id": getattr(principal, "key_id", None),
            "request_id": state["request_id"],
            "snapshot": state.get("snapshot"),
            "code": state.get("error_code"),
        },
    )
