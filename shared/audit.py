"""Who did what, when, at which snapshot and for how much: lines of the log, gathered for the operator's own lake.

The rule: nothing here makes a request fail, and nothing says what was asked about: names of routes, questions and
datasets, ids, codes and sums, never a value, a path, a row's key, a text or an address. What changes something is
handed in at once; what reads, within a minute. What a process has not handed in when it is killed is in its log alone.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from shared.hand_in import WAIT_SECONDS, Batch, HandIn, ProcessName
from shared.storage.base import ObjectStore

log = logging.getLogger("teal.audit")

PREFIX = "audit/"
DATASET = "audit"
Kept = Literal["all", "changes", "off"]
WAIT_BYTES = 256 * 1024
"""More lines than this are handed in before WAIT_SECONDS are over: about 700 entries, 33 kB when packed."""
MAX_BYTES = 8 * 2**20
"""Lines of a process that wait while the store is silent; twice as many of what changes something."""


@dataclass(frozen=True)
class AuditEntry:
    """One thing that was done, as the dataset ``audit`` has it; "" and None where it does not apply.

    ``ms`` are milliseconds. Whoever makes one sees to it that no field holds a value that somebody sent.
    """

    action: str
    outcome: str
    changes: bool
    tenant: str = ""
    key_id: str = ""
    request_id: str = ""
    dataset: str = ""
    question: str = ""
    subject: str = ""
    status: int | None = None
    code: str = ""
    snapshot: int | None = None
    bytes_read: int | None = None
    requests: int | None = None
    ms: float | None = None
    cost_usd: float | None = None
    bytes_sent: int | None = None
    sql_hash: str = ""
    entry_id: str = ""
    ended_at: datetime | None = None

    def told(self) -> dict[str, Any]:
        """What it says, without what does not apply; ``ended_at`` as JSON has it, in UTC to the millisecond."""
        told = {name: value for name, value in vars(self).items() if value not in ("", None)}
        if self.ended_at is not None:
            told["ended_at"] = self.ended_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return told


class Audit(Protocol):
    """Takes down what no request did: an upload's outcome, the schedule's work, a command. Raises nothing."""

    def __call__(self, entry: AuditEntry) -> None:
        """Log it, and hand it in at once where it is kept."""


class AuditRecord:
    """The entries of a process, shared by its threads; asks the store for nothing before there is something to put.

    ``keeps`` says which entries go into the dataset; ``secret`` is asked for when the first SQL is to be hashed.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        secret: Callable[[], bytes],
        keeps: Kept = "all",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait_seconds: float = WAIT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._handing_in = HandIn(store, self._taken, log, what="audit", unit="entries", wait_seconds=wait_seconds)
        self._secret = secret
        self._keeps = keeps
        self._now = now
        self._wait_seconds = wait_seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._process = ProcessName()
        self._made = 0
        self._lines: list[bytes] = []
        self._ids: list[str] = []
        self._bytes = 0
        self._due_at = 0.0
        self._lost = 0

    def __call__(self, entry: AuditEntry) -> None:
        """See Audit."""
        level = logging.ERROR if entry.outcome == "failed" else logging.INFO
        log.log(level, "audit", extra=self.marked(entry) | entry.told())
        if self.add(entry):
            self.hand_in()

    def keeps(self, entry: AuditEntry) -> bool:
        """Whether an entry goes into the dataset: what nobody known did, or a caller that was told to slow down, not.

        Who may send that without end could fill the lake; both are in the log.
        """
        if not (entry.tenant or entry.key_id) or entry.status == 429 or self._keeps == "off":
            return False
        return entry.changes or self._keeps == "all"

    def marked(self, entry: AuditEntry) -> dict[str, Any]:
        """What a log line says of an entry that the dataset has too."""
        return {"audit": True} if self.keeps(entry) else {}

    def add(self, entry: AuditEntry) -> bool:
        """Add an entry, if it is one to keep; returns whether something is to be handed in now."""
        if not self.keeps(entry):
            return False
        with self._lock:
            self._made += 1
            made = replace(entry, entry_id=f"{self._process}-{self._made}", ended_at=entry.ended_at or self._now())
            line = json.dumps(made.told(), separators=(",", ":")).encode()
            if self._bytes + len(line) > self._max_bytes * (2 if entry.changes else 1):
                self._lost += 1
                return self._is_due()
            self._lines.append(line)
            self._ids.append(made.entry_id)
            self._bytes += len(line)
            if entry.changes or self._bytes >= WAIT_BYTES:
                self._due_at = 0.0
            return self._is_due()

    def hand_in(self) -> bool:
        """Put what there is in one object, if it is due; returns whether the store took it. Raises nothing."""
        with self._lock:
            if not self._is_due():
                return False
        return self._handing_in.put_next()

    def hand_in_all(self) -> None:
        """Put everything there is, until the store does not take it; for the end of a process."""
        self._handing_in.put_all()

    def hash_of(self, tenant: str, sql: str) -> str:
        """What a stranger's SQL is recognised by; "" while the secret cannot be had. Raises nothing."""
        try:
            secret = self._secret()
        except Exception as error:  # noqa: BLE001 - the answer is there, and goes out
            log.warning("no secret to hash SQL with", extra={"error": type(error).__name__})
            return ""
        return hmac.new(secret, f"audit\0{tenant}\0{sql}".encode(errors="replace"), hashlib.sha256).hexdigest()[:32]

    def _is_due(self) -> bool:
        if self._handing_in.rests or not (self._lines or self._handing_in.is_pending):
            return False
        return time.time() >= self._due_at or self._handing_in.is_pending

    def _taken(self) -> Batch | None:
        with self._lock:
            lines, ids, lost = self._lines, self._ids, self._lost
            self._lines, self._ids, self._bytes, self._lost = [], [], 0, 0
            self._due_at = time.time() + self._wait_seconds
        if lost:
            self._handing_in.lost(lost)
        if not lines:
            return None
        # Named by its first entry: where that one is in the lake, all of them are.
        key = f"{PREFIX}{self._now():%Y-%m-%d}/{ids[0]}.ndjson.gz"
        return Batch(key, gzip.compress(b"\n".join(lines) + b"\n", compresslevel=6, mtime=0), len(lines), time.time())


def first_entry_of(key: str) -> str:
    """The id of the first entry in an object that was handed in."""
    return key.rsplit("/", 1)[-1].removesuffix(".ndjson.gz")
