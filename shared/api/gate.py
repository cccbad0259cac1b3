"""What is wrong with a request whatever its address: looked at before the route, the key and the body.

The rule: what two servers in a row may read as different requests is refused by this one, whoever stands in front.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.api.problems import problem
from shared.errors import AppError, InputError, LimitError, UnsupportedMediaTypeError

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
"""Names and values of all headers; API Gateway lets 10 kB through, Google's front end 64 kB."""

MAX_TARGET_BYTES = 16_384
"""Path and query together; a cursor has 4 kB at most."""

ONCE = frozenset({b"content-length", b"content-type", b"content-encoding", b"host", b"transfer-encoding"})
"""Headers of which two might be read as one or as the other."""


class MalformedRequestError(InputError):
    """The request is not one HTTP request that everybody would read alike."""

    code = "malformed_request"


class HeadersTooLargeError(LimitError):
    """The request has more or longer headers, or a longer address, than is read here."""

    code = "headers_too_large"
    status = 431


class Gate:
    """Answers what is malformed, too large or packed with a problem; everything else goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            if scope["type"] == "http":
                require_plain(scope)
        except AppError as error:
            state = Request(scope).state
            state.error_code = error.code
            answer = problem(error, state.request_id)
            if isinstance(error, MalformedRequestError):
                # What follows on this connection may be another request, or the rest of this one.
                answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def require_plain(scope: Scope) -> None:
    """Raises MalformedRequestError, HeadersTooLargeError, UnsupportedMediaTypeError."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    found = Counter(name for name, _ in headers)
    size = sum(len(name) + len(value) for name, value in headers)
    if found.total() > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise HeadersTooLargeError("The request has too many or too long headers.")
    if len(scope["path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        raise HeadersTooLargeError("The request has too long an address.")
    if any(found[name] > 1 for name in ONCE):
        raise MalformedRequestError("The request has a header twice that it may have once.")
    if b"content-length" in found and b"transfer-encoding" in found:
        raise MalformedRequestError("The request says in two ways how long its body is.")
    packed = next((value for name, value in headers if name == b"content-encoding"), b"identity")
    if packed.strip().lower() not in (b"identity", b""):
        raise UnsupportedMediaTypeError("Bodies are read as they are: no Content-Encoding. Files may be .gz or .zst.")
