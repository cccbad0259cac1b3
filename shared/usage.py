"""What was asked and what it took, added up in this process and handed to the lake's store now and then.

The rule: nothing here makes a request fail, and nothing says what was asked about: only names of questions and routes,
ids of keys, and sums. What a process has not handed in when it is killed is lost: what came less than a minute after it
last did so, or all since the store went silent. Whatever else is lost is in the log.
"""

from __future__ import annotations

import gzip
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import add
from typing import NamedTuple

from shared.hand_in import WAIT_SECONDS, Batch, HandIn, ProcessName
from shared.storage.base import ObjectStore

log = logging.getLogger("teal.usage")

PREFIX = "usage/"
OTHER = "(other)"
"""Question, key and format of what found no room of its own."""
WAIT_REQUESTS = 10_000
"""The most that an object tells of; it is handed in before WAIT_SECONDS are over."""
MAX_SLOTS = 2_000
"""Sums of one process for all its tenants; twice as many with those of others."""
FIRST_BUCKET, LAST_BUCKET = -16, 64
"""From 0.0625 ms to 65.536 s; what lies outside counts with the nearest."""
_BUCKETS_PER_DOUBLING = 4


class Slot(NamedTuple):
    """What requests are added up by; ``hour`` is its first instant in UTC, ``status`` a class such as ``2xx``."""

    hour: str
    question: str
    key_id: str
    status: str
    format: str
    latency_bucket: int


class Sums(NamedTuple):
    """What requests come to, in whole numbers, so that sums of sums are exact."""

    requests: int = 0
    from_cache: int = 0
    not_modified: int = 0
    microseconds: int = 0
    bytes_sent: int = 0
    bytes_read: int = 0
    picodollars: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*map(add, self, other))


@dataclass(frozen=True)
class Use:
    """One request that was answered. ``from_cache``: with a body that this process still had."""

    tenant: str
    question: str
    key_id: str
    status: int
    milliseconds: float
    format: str = ""
    bytes_sent: int = 0
    bytes_read: int = 0
    dollars: float = 0.0
    from_cache: bool = False


@dataclass
class _Waiting:
    """A tenant's sums that were not handed in yet, and when they are to be."""

    due_at: float
    requests: int = 0
    slots: dict[Slot, Sums] = field(default_factory=dict)


def latency_bucket(milliseconds: float) -> int:
    """The bucket of a time: ``n`` holds what is above 2^((n-1)/4) and at most 2^(n/4) ms."""
    if milliseconds <= 0:
        return FIRST_BUCKET
    return min(max(math.ceil(math.log2(milliseconds) * _BUCKETS_PER_DOUBLING), FIRST_BUCKET), LAST_BUCKET)


def slot_of(use: Use, now: datetime) -> Slot:
    """Where a request is added up; ``now`` is in UTC."""
    hour = now.isoformat(timespec="hours")[: len("2026-01-01T00")] + ":00:00Z"
    status = f"{use.status // 100}xx"
    return Slot(hour, use.question, use.key_id, status, use.format, latency_bucket(use.milliseconds))


def sums_of(use: Use) -> Sums:
    """What one request comes to."""
    return Sums(
        requests=1,
        from_cache=int(use.from_cache),
        not_modified=int(use.status == 304),
        microseconds=round(use.milliseconds * 1000),
        bytes_sent=use.bytes_sent,
        bytes_read=use.bytes_read,
        picodollars=round(use.dollars * 1e12),
    )


class UsageRecord:
    """The sums of a process, shared by its threads; asks the store for nothing before there is something to put."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait_seconds: float = WAIT_SECONDS,
        wait_requests: int = WAIT_REQUESTS,
        max_slots: int = MAX_SLOTS,
    ) -> None:
        self._handing_in = HandIn(store, self._taken, log, what="usage", unit="requests", wait_seconds=wait_seconds)
        self._now = now
        self._wait_seconds = wait_seconds
        self._wait_requests = wait_requests
        self._max_slots = max_slots
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._handed_in: dict[str, float] = {}
        self._slots = 0
        self._full = ""
        self._lost = 0
        self._process = ProcessName()
        self._made = 0

    def add(self, use: Use) -> bool:
        """Add a request; returns whether something is to be handed in now."""
        slot, sums = slot_of(use, self._now()), sums_of(use)
        with self._lock:
            # The first request of a process is handed in with it: there may be no second.
            waiting = self._waiting.get(use.tenant) or _Waiting(self._handed_in.get(use.tenant, 0) + self._wait_seconds)
            if slot not in waiting.slots and self._slots >= self._max_slots:
                slot = slot._replace(question=OTHER, key_id=OTHER, format=OTHER)
            if slot not in waiting.slots and self._slots >= 2 * self._max_slots:
                self._lost += 1
                return self._is_due()
            self._waiting.setdefault(use.tenant, waiting)
            self._slots += slot not in waiting.slots
            waiting.slots[slot] = waiting.slots.get(slot, _NOTHING).plus(sums)
            waiting.requests += 1
            if waiting.requests >= self._wait_requests:
                self._full = use.tenant
            return self._is_due()

    def hand_in(self) -> bool:
        """Put one object, that of the tenant that is due; returns whether the store took it. Raises nothing."""
        with self._lock:
            if not self._is_due():
                return False
        return self._handing_in.put_next()

    def hand_in_all(self) -> None:
        """Put everything there is, until the store does not take one; for the end of a process."""
        self._handing_in.put_all()

    def _is_due(self) -> bool:
        if self._handing_in.rests or not (self._waiting or self._handing_in.is_pending):
            return False
        now = time.time()
        waited = any(waiting.due_at <= now for waiting in self._waiting.values())
        return waited or bool(self._full) or self._handing_in.is_pending

    def _taken(self) -> Batch | None:
        """The sums of the tenant that is full, or else of the one that is due first."""
        with self._lock:
            tenant = self._full or min(self._waiting, key=lambda name: self._waiting[name].due_at, default="")
            waiting = self._waiting.pop(tenant, None)
            self._full = ""
            lost, self._lost = self._lost, 0
            if waiting is not None:
                self._slots -= len(waiting.slots)
                self._handed_in[tenant] = time.time()
        if lost:
            self._handing_in.lost(lost)
        if waiting is None:
            return None
        self._made += 1
        hour = min(slot.hour for slot in waiting.slots)[:13]
        key = f"{PREFIX}{tenant}/{hour}/{self._process}-{self._made}.ndjson.gz"
        return Batch(key, document(waiting.slots), waiting.requests, time.time())


_NOTHING = Sums()


def document(slots: dict[Slot, Sums]) -> bytes:
    """Sums as a gzipped line of JSON each."""
    lines = (json.dumps(slot._asdict() | sums._asdict(), separators=(",", ":")) for slot, sums in slots.items())
    return gzip.compress("\n".join(lines).encode(), compresslevel=6, mtime=0)


def slots_from(body: bytes) -> dict[Slot, Sums]:
    """What ``document`` wrote. Raises ValueError."""
    found: dict[Slot, Sums] = {}
    try:
        for line in gzip.decompress(body).decode().splitlines():
            told = json.loads(line)
            slot = Slot(*(told[name] for name in Slot._fields))
            datetime.fromisoformat(slot.hour)
            sums = Sums(*(int(told[name]) for name in Sums._fields))
            found[slot] = found.get(slot, _NOTHING).plus(sums)
    except (OSError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"no sums of requests: {error}") from error
    return found
