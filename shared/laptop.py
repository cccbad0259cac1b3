"""Teal on a laptop: a folder is the bucket, a thread is the event, and the first start brings real data and a key.

The rule: whatever is dropped into the inbox is brought in by the use case that the cloud's functions call, once its
size has stopped changing; the ledger in the lake knows what was done, so that stopping at any moment and starting
again is safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import AppError, UnauthenticatedError
from shared.keys import SCOPES, Keys
from shared.outcome import Outcome
from shared.storage.base import ObjectStore
from shared.values import UploadedObject

LOOK_SECONDS = 1.0
QUIET_LOOKS = 2
"""Looks at an unchanged lake before models are fitted: files often come several at a time."""


def laptop_key(folder: Path, keys: Keys, tenant: str) -> str:
    """The key printed at every start: made at the first one and kept, readable by its owner alone, beside the data.

    A new one is made when the kept one has ended, or when another lake's key file lies there.
    """
    path = folder / "laptop.key"
    if path.exists():
        kept = path.read_text().strip()
        try:
            keys.verify(kept)
            return kept
        except UnauthenticatedError:
            path.unlink()
    token = keys.create(tenant, SCOPES, label="laptop").token
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(token)
    return token


@dataclass
class InboxWatcher:
    """Brings in what is new in the inbox of a folder; ``told`` hears of every outcome, ``failed`` of every error."""

    inbox: ObjectStore
    bucket: str
    ingest: Callable[[UploadedObject], Outcome]
    told: Callable[[str, Outcome], None]
    failed: Callable[[str, AppError], None]
    seen: dict[str, tuple[str, int]] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)

    def watch(self, stop: threading.Event) -> None:
        """Look every second until told to stop; the upload at hand is finished first."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.look(stop)
            except AppError as error:
                self.failed("inbox", error)

    def look(self, stop: threading.Event | None = None) -> int:
        """Bring in every object that is new and looks as it did at the last look; returns how many.

        Raises StoreUnavailableError.
        """
        brought = 0
        for info in list(self.inbox.list("inbox/")):
            if stop is not None and stop.is_set():
                break
            if (info.key, info.etag) in self.done:
                continue
            looks = (info.etag, info.size_bytes)
            if self.seen.get(info.key) != looks:
                # It may still be growing: a copy or a download writes it bit by bit.
                self.seen[info.key] = looks
                continue
            brought += self._bring_in(info.key, info.etag)
        return brought

    def _bring_in(self, key: str, etag: str) -> int:
        try:
            outcome = self.ingest(UploadedObject(self.bucket, key))
        except AppError as error:
            if not error.again:
                self.done.add((key, etag))
            self.failed(key, error)
            return 0
        self.done.add((key, etag))
        if outcome.status != "skipped" or outcome.reason_code:
            self.told(key, outcome)
        return 1


@dataclass
class ModelKeeper:
    """Fits models some seconds after the lake changed, as the schedule does in a cloud."""

    newest: Callable[[], int]
    fit: Callable[[], object]
    failed: Callable[[str, AppError], None]
    snapshot: int = 0
    looks: int = 0

    def keep(self, stop: threading.Event) -> None:
        """Look every second until told to stop; a fit at hand is finished first."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except AppError as error:
                self.failed("models", error)

    def look(self) -> None:
        """Fit when the lake changed and was then left alone. Raises StoreUnavailableError."""
        newest = self.newest()
        self.looks = self.looks + 1 if newest == self.snapshot else 0
        self.snapshot = newest
        if self.looks == QUIET_LOOKS:
            self.fit()
