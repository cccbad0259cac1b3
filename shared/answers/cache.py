"""The last answers of a warm process, by everything that shaped them; bounded in bytes, oldest use out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    """An answer's bytes, where the next page begins, and what making it cost."""

    content: bytes
    cursor: str | None
    bytes_read: int
    requests: int
    repeatable: bool = True
    """Whether the same question would be answered with the same bytes."""


class AnswerCache:
    """Bodies by ETag, which covers tenant, snapshot, question, parameters, format and rights: a hit is an answer."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used = 0
        self._bodies: OrderedDict[str, Body] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, etag: str) -> Body | None:
        """The body, if it is still kept."""
        with self._lock:
            body = self._bodies.get(etag)
            if body is not None:
                self._bodies.move_to_end(etag)
            return body

    def put(self, etag: str, body: Body) -> None:
        """Keep a body, unless it alone would fill a quarter of the room."""
        size = len(body.content)
        if size > self._max_bytes // 4:
            return
        with self._lock:
            if etag not in self._bodies:
                self._bodies[etag] = body
                self._used += size
            while self._used > self._max_bytes:
                _, dropped = self._bodies.popitem(last=False)
                self._used -= len(dropped.content)
