"""URLs that allow one request to one object of a folder store: made and checked here, pure, and nothing else counts.

Every field of the allowance is signed together with the key, so that none can be changed, added or left out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from shared.errors import UnauthenticatedError
from shared.storage.base import SignedUrl

OBJECTS_PATH = "/v1/objects/"
"""Where the API answers signed URLs, below its public address."""

LONGEST_SECONDS = 604_800
"""Seven days: the longest life that S3 and Google accept too."""

_FIELDS = ("method", "expires", "type", "size", "filename")


@dataclass(frozen=True)
class SignedRequest:
    """What a valid URL allows: ``size_bytes`` is None when any size is, the texts are "" when nothing was said."""

    method: str
    key: str
    content_type: str = ""
    size_bytes: int | None = None
    filename: str = ""


def sign(secret: bytes, request: SignedRequest, *, public_url: str, now: datetime, seconds: int) -> SignedUrl:
    """A URL below ``public_url`` that allows ``request`` until ``now`` + ``seconds`` (1 to 604,800)."""
    if not secret:
        raise ValueError("a signing secret may not be empty")
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"a signed URL lives 1 to {LONGEST_SECONDS} seconds, not {seconds}")
    expires_at = datetime.fromtimestamp(int(now.timestamp()), UTC) + timedelta(seconds=seconds)
    fields = {
        "method": request.method,
        "expires": str(int(expires_at.timestamp())),
        "type": request.content_type,
        "size": "" if request.size_bytes is None else str(request.size_bytes),
        "filename": request.filename,
    }
    query = {name: value for name, value in fields.items() if value}
    query["signature"] = _signature(secret, request.key, query)
    url = f"{public_url.rstrip('/')}{OBJECTS_PATH}{quote(request.key, safe='/')}?{urlencode(query)}"
    headers = {"Content-Type": request.content_type} if request.content_type else {}
    return SignedUrl(url, request.method, headers, expires_at)


def verify_signed(
    secret: bytes, *, method: str, key: str, query: Mapping[str, str], now: datetime | None = None
) -> SignedRequest:
    """What the URL allows, for the request's method, URL-decoded key and decoded query.

    The caller still compares the request's Content-Type with ``content_type`` and counts its bytes against
    ``size_bytes``. Raises UnauthenticatedError, with one message for every reason.
    """
    refused = UnauthenticatedError("This link is not valid or has expired.")
    given = query.get("signature", "")
    expected = _signature(secret, key, query)
    signed = bool(secret) and hmac.compare_digest(given.encode(), expected.encode())
    # The values are parsed only after the signature held: nothing unsigned is ever interpreted.
    if not signed or set(query) - {*_FIELDS, "signature"} or query.get("method") != method:
        raise refused
    if (now or datetime.now(UTC)).timestamp() >= int(query["expires"]):
        raise refused
    size = query.get("size", "")
    return SignedRequest(method, key, query.get("type", ""), int(size) if size else None, query.get("filename", ""))


def _signature(secret: bytes, key: str, query: Mapping[str, str]) -> str:
    # A JSON list, because a text joined by any separator could be cut at another place.
    message = json.dumps(["teal-object-1", key, *(query.get(name, "") for name in _FIELDS)])
    digest = hmac.digest(secret or b"\0", message.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
