"""Opaque cursors: where a list goes on, signed for the one tenant and list they were made for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidCursorError, InvalidParameterError, PageTooLargeError

DEFAULT_LIMIT = 100
MAX_CURSOR_CHARACTERS = 4_096
_TAG_BYTES = 16


@dataclass(frozen=True)
class Page:
    """Items of one page, the cursor of the next one, or None, and the snapshot they come from."""

    items: list[Any]
    next: str | None
    snapshot: int


@dataclass(frozen=True)
class Cursors:
    """Makes and reads cursors with one secret (at least 16 bytes), which all processes of an installation share."""

    secret: bytes

    def seal(self, tenant: str, subject: str, position: Mapping[str, Any]) -> str:
        """A cursor for a list; ``subject`` names the list with everything that shapes it."""
        content = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
        return _text(self._tag(tenant, subject, content) + content)

    def open(self, tenant: str, subject: str, cursor: str) -> dict[str, Any]:
        """The position. Raises InvalidCursorError, with one message for every reason."""
        refused = InvalidCursorError("This cursor does not belong to this list. Start again without it.")
        try:
            if len(cursor) > MAX_CURSOR_CHARACTERS:
                raise ValueError
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            raise refused from None
        tag, content = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        # The second comparison: base64 has several spellings of the same bytes, and a signed text should have one.
        if not hmac.compare_digest(tag, self._tag(tenant, subject, content)) or _text(raw) != cursor:
            raise refused
        position: dict[str, Any] = json.loads(content)
        return position

    def _tag(self, tenant: str, subject: str, content: bytes) -> bytes:
        message = json.dumps(["teal-cursor-1", tenant, subject, content.decode("utf-8", "replace")]).encode()
        return hmac.digest(self.secret, message, hashlib.sha256)[:_TAG_BYTES]


def page_size(limit: int | None, largest: int) -> int:
    """Rows of one page. Raises InvalidParameterError below 1, PageTooLargeError above ``largest``."""
    if limit is None:
        return min(DEFAULT_LIMIT, largest)
    if limit < 1:
        raise InvalidParameterError("limit: at least 1")
    if limit > largest:
        raise PageTooLargeError(f"A page has {largest:,} rows at most; use the cursor for more.", largest=largest)
    return limit


def subject_of(name: str, shape: Mapping[str, Any]) -> str:
    """The name of a list as it was asked for: the same for every page of it, different for any other question."""
    told = json.dumps(shape, sort_keys=True, separators=(",", ":"), default=str)
    return f"{name}?{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
