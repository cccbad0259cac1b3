"""What became of an upload, as the ledger in its lake says."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.catalog.reader import PinnedLake
from shared.sql.load import statement

STATUSES = ("loaded", "held", "skipped", "rolled_back")


@dataclass(frozen=True)
class UploadState:
    """What became of an upload: waiting, received, or what the ledger says; counts are None before that."""

    upload_id: str
    status: str
    dataset: str = ""
    filename: str = ""
    source: str = ""
    contract_version: int | None = None
    received: int | None = None
    accepted: int | None = None
    held: int | None = None
    duplicate: int | None = None
    reason_code: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    replay_of: str = ""
    size_bytes: int | None = None
    received_at: datetime | None = None
    committed_at: datetime | None = None
    duration_ms: int | None = None
    snapshot: int | None = None

    @property
    def settled(self) -> bool:
        """The ledger knows it."""
        return self.status in STATUSES


@dataclass(frozen=True)
class HeldRow:
    """One row that was put aside; ``row`` is its 1-based place in the file, ``original`` what was sent."""

    row: int | None
    dataset: str
    column: str
    rule: str
    text: str | None
    original: str


def ledger_state(lake: PinnedLake, upload_id: str) -> UploadState | None:
    """The upload's row of the ledger, or None when it has none."""
    result = lake.duck.query(statement("uploads/one"), {"upload_id": upload_id})
    if not result.rows:
        return None
    snapshot = lake.duck.value(statement("uploads/snapshot"), {"lake": lake.alias, "upload_id": upload_id})
    return replace(state_from(dict(zip(result.columns, result.rows[0], strict=True))), snapshot=snapshot)


def state_from(row: dict[str, Any]) -> UploadState:
    """A row of the ledger by column name, as the sender sees it."""
    key = row.pop("object_key") or ""
    texts = {name: row[name] or "" for name in ("dataset", "source", "reason_code", "reason", "replay_of")}
    notes = tuple(json.loads(row["notes"])) if row["notes"] else ()
    return UploadState(**{**row, **texts, "notes": notes, "filename": key.rsplit("/", 1)[-1]})
