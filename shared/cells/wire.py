"""Messages between a process and its cell: one JSON object, and bytes beside it, each with its length before it.

The rule: nothing that is received is ever run or unpickled, and no more is read than a message may have.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

Message = tuple[dict[str, Any], bytes]
MAX_HEAD = 4 * 2**20
_SIZES = struct.Struct(">II")


class BrokenWireError(Exception):
    """What came is no message, or the other side has ended."""


def packed(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message as bytes."""
    told = json.dumps(head).encode()
    return _SIZES.pack(len(told), len(body)) + told + body


def received(read: Callable[[int], bytes], max_body: int | None = None) -> Message:
    """The next message; ``read`` gives exactly so many bytes, or fewer where there are no more.

    Raises BrokenWireError. Without ``max_body`` the other side is trusted not to send too much.
    """
    head_size, body_size = _SIZES.unpack(_all(read, _SIZES.size))
    if head_size > MAX_HEAD or (max_body is not None and body_size > max_body):
        raise BrokenWireError("a message is too long")
    try:
        head = json.loads(_all(read, head_size))
    except (ValueError, RecursionError) as error:
        raise BrokenWireError("a message is no JSON") from error
    if not isinstance(head, dict):
        raise BrokenWireError("a message is no object")
    return head, _all(read, body_size)


def _all(read: Callable[[int], bytes], size: int) -> bytes:
    found = read(size)
    if len(found) < size:
        raise BrokenWireError("a message ends too early")
    return found
