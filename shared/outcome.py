"""What became of an upload, as its caller, the log and the world are told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.steps import ledger
from shared.values import RowCounts


@dataclass(frozen=True)
class Outcome:
    """What became of an upload: ``status`` is loaded, held or skipped; ``snapshot_id`` is the state that says so."""

    upload_id: str
    tenant: str
    dataset: str
    status: str
    counts: RowCounts
    snapshot_id: int
    reason_code: str = ""
    reason: str = ""


def message_of(entry: ledger.Entry) -> str:
    """The message of the commit of an upload that brings no rows."""
    return f"{entry.upload.key.rsplit('/', 1)[-1]}: {entry.status}, {entry.reason_code}"


def skipped(entry: ledger.Entry, tenant: str, known: str) -> Outcome:
    """The outcome of an event that was delivered before."""
    reason = f"This version was already brought in as {known}."
    return outcome_of(replace(entry, upload_id=known, status="skipped", reason=reason), tenant, 0)


def outcome_of(entry: ledger.Entry, tenant: str, snapshot_id: int) -> Outcome:
    """The outcome that a ledger entry says."""
    return Outcome(
        upload_id=entry.upload_id,
        tenant=tenant,
        dataset=entry.dataset,
        status=entry.status,
        counts=entry.counts,
        snapshot_id=snapshot_id,
        reason_code=entry.reason_code,
        reason=entry.reason,
    )
