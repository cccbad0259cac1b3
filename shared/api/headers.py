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
from shared.api.used import Reply, entry_of, hand_in, use_of
from shared.audit import AuditRecord
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
    "ETag", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing",
    "Teal-Receipt", "Teal-Snapshot", "X-Request-ID",
)  # fmt: skip

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_UPLOAD = re.compile(r"/v1/uploads/([0-9a-f]{24}|u[0-9a-f]{23})\Z")


class AnswerCutError(Exception):
    """An answer that is under way and cannot be finished: the server cuts the connection, the log says why."""


class Envelope:
    """Gives a request its id, its response the headers, a surprise its problem document, and the log its line.

    What was answered is counted in ``usage`` and taken down in ``audit``, if there are any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        usage: UsageRecord | None = None,
        audit: AuditRecord | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._usage = usage
        self._audit = audit
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
                if (standing := state.get("standing")) is not None:
                    headers.update(standing.headers())
                if "teal-snapshot" in headers:
                    state["snapshot"] = int(headers["teal-snapshot"])
                if made := _UPLOAD.match(headers.get("location") or headers.get("content-location") or ""):
                    state["made"] = made[1]
            elif message["type"] == "http.response.body":
                bytes_sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            log.exception("unexpected", extra={"request_id": request_id})
            if status:
                # The answer is under way: cutting the connection is the only way left to say that it is not whole.
                raise AnswerCutError from None
            state["error_code"] = "internal"
            await internal_problem(request_id)(scope, receive, send_with_headers)
        finally:
            await self._told(scope, Reply(status, (self._now() - started) * 1000, bytes_sent))

    async def _told(self, scope: Scope, reply: Reply) -> None:
        """Count the request, take it down, and write its line of the log; the audit's entry is that line."""
        entry = await entry_of(scope, reply, self._audit)
        told = entry.told() | {"method": scope["method"], "route": entry.action.partition(" ")[2]}
        level = logging.ERROR if entry.outcome == "failed" else logging.INFO
        log.log(level, "request", extra=told | (self._audit.marked(entry) if self._audit else {}))
        due: list[Callable[[], object]] = []
        if self._usage is not None and (use := use_of(scope, reply)) is not None and self._usage.add(use):
            due.append(self._usage.hand_in)
        if self._audit is not None and self._audit.add(entry):
            due.append(self._audit.hand_in)
        await hand_in(*due)
