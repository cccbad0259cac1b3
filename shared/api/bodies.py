"""Bodies of requests: which kinds are read, how large they may be, and how long one may take to arrive.

The rule: a body is counted and timed while it comes in, and nothing of it is unpacked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import Request
from starlette.requests import ClientDisconnect

from shared.errors import BodyTooLargeError, CallerGoneError, LimitError, UnsupportedMediaTypeError

MAX_JSON_BYTES = 1_000_000

MAX_LENGTH_DIGITS = 15
"""Of a Content-Length: a petabyte."""

SLOWEST_BYTES_PER_SECOND = 1_000
"""A body that comes more slowly than this holds a connection for nothing."""


class BodyTooSlowError(LimitError):
    """The body did not arrive in time; it is ended so that slow callers do not hold all connections."""

    code = "body_too_slow"
    status = 408


def has_body(request: Request) -> bool:
    """Whether the headers say that a body comes; a gateway may say nothing and hand one over nevertheless."""
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def require_json(request: Request) -> None:
    """Raises UnsupportedMediaTypeError unless the body says that it is JSON, in UTF-8."""
    media, *parameters = request.headers.get("content-type", "").lower().split(";")
    media = media.strip()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise UnsupportedMediaTypeError("This address reads application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise UnsupportedMediaTypeError("This address reads JSON in UTF-8.")


async def body_of(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises as ``take_body``."""
    if not hasattr(request, "_body"):
        chunks: list[bytes] = []
        await take_body(request, chunks.append, max_bytes)
        request._body = b"".join(chunks)  # where Starlette keeps a body that was read
    return request._body


async def take_body(request: Request, take: Callable[[bytes], object], max_bytes: int) -> int:
    """Hand on each part of the body as it arrives; returns how many bytes it had.

    Raises BodyTooLargeError as soon as it is too large, BodyTooSlowError when nothing came for ``body_seconds`` or all
    of it came too slowly, and CallerGoneError.
    """
    too_large = BodyTooLargeError(f"The body may have {max_bytes:,} bytes at most.", max_bytes=max_bytes)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > max_bytes):
        raise too_large
    seconds: float = request.app.state.body_seconds
    now = asyncio.get_running_loop().time
    began, size = now(), 0
    try:
        async with asyncio.timeout(seconds) as patience:
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise too_large
                take(chunk)
                patience.reschedule(min(now() + seconds, began + seconds + size / SLOWEST_BYTES_PER_SECOND))
    except TimeoutError:
        raise BodyTooSlowError("The body came too slowly.") from None
    except ClientDisconnect:
        raise CallerGoneError("The caller went away.") from None
    return size
