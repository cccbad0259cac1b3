"""How much of a lake may be read: by one question, and by all questions of a tenant in a day.

The rule: what was read is counted when it was read, and one process tells the others within some seconds; what all of
them may read beyond the limit is what they read in that time.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import AppError, DayUsedUpError, ObjectNotFoundError, PreconditionFailedError, QueryTooLargeError
from shared.limits import Limits
from shared.storage.base import ObjectStore

PREFIX = "spent/"
"""Below it one object a tenant: the bytes read on a day, by all processes."""

TELL_SECONDS = 10.0
MAX_TENANTS = 10_000
_ATTEMPTS = 5

log = logging.getLogger("teal.limits")


@dataclass
class _Day:
    """A tenant's day as this process knows it: what all told, and what it has not told yet."""

    day: str
    told: int = 0
    own: int = 0
    looked_at: float = float("-inf")


class Allowance:
    """Counts bytes read by tenant and day (UTC), for all threads; the store knows what every process counted."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        tell_seconds: float = TELL_SECONDS,
    ) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self._tell_seconds = tell_seconds
        self._lock = threading.Lock()
        self._days: OrderedDict[str, _Day] = OrderedDict()

    def require(self, tenant: str, limits: Limits, size: int) -> None:
        """Raises QueryTooLargeError, DayUsedUpError where reading ``size`` bytes is more than the limits allow."""
        if limits.query_bytes is not None and size > limits.query_bytes:
            message = f"This would read {size:,} bytes; one question may read {limits.query_bytes:,}. Ask for less."
            raise QueryTooLargeError(message, bytes=size, max_bytes=limits.query_bytes)
        if limits.day_bytes is None:
            return
        spent = self.spent(tenant)
        if spent + size > limits.day_bytes:
            now = self._now()
            rest = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
            message = f"Of {limits.day_bytes:,} bytes a day {spent:,} were read, and this would read {size:,}."
            raise DayUsedUpError(message, bytes=size, max_bytes=limits.day_bytes, retry_after_seconds=rest)

    def spend(self, tenant: str, limits: Limits, size: int) -> None:
        """Count what was read, where anybody limits it."""
        if limits.day_bytes is None or not size:
            return
        with self._lock:
            self._today(tenant).own += size
        self._exchange(tenant)

    def spent(self, tenant: str) -> int:
        """Bytes read today, as far as is known here."""
        self._exchange(tenant)
        with self._lock:
            today = self._today(tenant)
            return today.told + today.own

    def _today(self, tenant: str) -> _Day:
        day = self._now().strftime("%Y-%m-%d")
        known = self._days.get(tenant)
        if known is None or known.day != day:
            known = self._days[tenant] = _Day(day)
        self._days.move_to_end(tenant)
        while len(self._days) > MAX_TENANTS:
            self._days.popitem(last=False)
        return known

    def _exchange(self, tenant: str) -> None:
        """Tell the store what was read here, and learn what the others read, now and then."""
        with self._lock:
            today = self._today(tenant)
            if self._clock() < today.looked_at + self._tell_seconds:
                return
            today.looked_at = self._clock()
            own, today.own = today.own, 0
            # Until it is in the store, it counts here.
            today.told += own
        try:
            told = self._added(tenant, today.day, own)
        except AppError as error:
            # A silent store stops no answer: what was counted is told the next time.
            log.warning("bytes read were not told", extra={"tenant": tenant, "code": error.code})
            with self._lock:
                today.told -= own
                today.own += own
            return
        with self._lock:
            today.told = told

    def _added(self, tenant: str, day: str, own: int) -> int:
        """The sum of the day in the store, with what is added to it."""
        key = f"{PREFIX}{tenant}.json"
        for _ in range(_ATTEMPTS):
            try:
                body, info = self._store.get(key)
                document, etag = json.loads(body), info.etag
            except ObjectNotFoundError:
                document, etag = {}, ""
            before = int(document["bytes"]) if document.get("day") == day else 0
            if not own:
                return before
            try:
                self._store.put_if_match(key, json.dumps({"day": day, "bytes": before + own}).encode(), etag=etag)
                return before + own
            except PreconditionFailedError as error:
                lost = error
        raise lost
