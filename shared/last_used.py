"""When each API key was last used: an empty object per key whose own time says so, put beside the counting of usage.

The rule: checking a key writes nothing. A process notes a key it has not noted for some minutes, after the answer, with
what it hands in of usage; where usage is not counted, nobody knows when a key was used.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from shared.keys import first_of_ids, is_key_id, used_key
from shared.storage.base import ObjectStore
from shared.usage import UsageRecord, Use

log = logging.getLogger("teal.keys")

NOTE_SECONDS = 300.0
"""A key in use is noted this often by a process, so what is told is at most so old."""
MAX_KEYS = 10_000
"""Of which a process knows when it noted them; beyond that it forgets all, and notes some twice."""


class UsageOfKeys(UsageRecord):
    """A record of usage that notes the keys too."""

    def __init__(self, store: ObjectStore, *, note_seconds: float = NOTE_SECONDS) -> None:
        super().__init__(store)
        self._store = store
        self._note_seconds = note_seconds
        self._noting = threading.Lock()
        self._noted: dict[str, float] = {}
        self._used: set[str] = set()

    def add(self, use: Use) -> bool:
        """See UsageRecord.add."""
        due = super().add(use)
        with self._noting:
            if is_key_id(use.key_id) and time.time() - self._noted.get(use.key_id, 0.0) >= self._note_seconds:
                self._used.add(use.key_id)
            return due or bool(self._used)

    def hand_in(self) -> bool:
        """See UsageRecord.hand_in; returns whether the store took that."""
        handed_in = super().hand_in()
        self._note()
        return handed_in

    def hand_in_all(self) -> None:
        """See UsageRecord.hand_in_all."""
        super().hand_in_all()
        self._note()

    def _note(self) -> None:
        with self._noting:
            used, self._used = self._used, set()
            if len(self._noted) + len(used) > MAX_KEYS:
                self._noted.clear()
            # Also when the store is silent: the next note is as good as this one.
            self._noted |= dict.fromkeys(used, time.time())
        for key_id in used:
            try:
                self._store.put(used_key(key_id), b"")
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the store, requests go on being answered
                log.warning("last use of a key was not noted", extra={"error": type(error).__name__})
                return


def last_used(store: ObjectStore, tenant: str | None = None) -> dict[str, datetime]:
    """When each key was last noted, by its id; those of a tenant, or of all."""
    first = "" if tenant is None else first_of_ids(tenant)
    return {info.key.removeprefix(used_key("")): info.modified_at for info in store.list(used_key(first))}
