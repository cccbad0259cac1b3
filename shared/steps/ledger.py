"""The ledger of uploads, read and written inside a commit: what makes every upload count exactly once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.datasets.contract import Contract
from shared.duck import Duck
from shared.errors import ConflictError
from shared.sql.load import statement
from shared.steps.receive import upload_id_of
from shared.values import RowCounts, UploadedObject

Contracts = dict[str, tuple[Contract, ...]]
"""Every registered version of every contract by dataset, oldest first; built-in ones are not among them."""


class ContractsChangedError(ConflictError):
    """A contract was changed while an upload was judged by the former one; the upload is judged again."""

    code = "contracts_changed"


@dataclass(frozen=True)
class Entry:
    """One upload as the ledger keeps it; ``dataset`` is the inbox folder it was put in."""

    upload_id: str
    upload: UploadedObject
    dataset: str
    received_at: datetime
    content_hash: str = ""
    source: str = ""
    contract_version: int | None = None
    status: str = "loaded"
    reason_code: str = ""
    reason: str = ""
    counts: RowCounts = field(default_factory=lambda: RowCounts(0, 0, 0, 0))
    notes: tuple[str, ...] = ()
    replay_of: str = ""


def seen(duck: Duck, upload: UploadedObject) -> str | None:
    """The id under which this very version of the object was brought in, or None."""
    return _known(duck, upload, upload_id_of(upload))[0]


def identified(duck: Duck, entry: Entry) -> tuple[str | None, Entry]:
    """``seen``, and the entry with an id that is free: an earlier version of the same object may have the usual one."""
    known, taken = _known(duck, entry.upload, entry.upload_id)
    return known, replace(entry, upload_id=entry.upload.upload_id) if taken else entry


def same_content(duck: Duck, content_hash: str, dataset: str) -> tuple[str, int] | None:
    """(upload id, received rows) of a loaded upload with the same bytes for the same dataset, or None."""
    rows = duck.execute(statement("ingest/same_content"), {"content_hash": content_hash, "dataset": dataset})
    return (rows[0][0], rows[0][1]) if rows else None


def contracts(duck: Duck) -> Contracts:
    """The contracts this lake has registered or inferred."""
    found: dict[str, list[Contract]] = {}
    for name, _, body in duck.execute(statement("ingest/contracts")):
        found.setdefault(name, []).append(Contract.model_validate_json(body))
    return {name: tuple(versions) for name, versions in found.items()}


def record_contract(duck: Duck, contract: Contract, *, author: str) -> None:
    """Register a version of a contract."""
    body = contract.model_dump_json(exclude_defaults=True)
    parameters = {"name": contract.name, "version": contract.version, "body": body, "author": author}
    duck.execute(statement("ingest/record_contract"), parameters)


def record(duck: Duck, entry: Entry, *, now: datetime) -> None:
    """Write the entry; ``now`` ends its duration."""
    duck.execute(
        statement("ingest/record_upload"),
        {
            **_identity(entry.upload),
            "upload_id": entry.upload_id,
            "content_hash": entry.content_hash,
            "dataset": entry.dataset,
            "source": entry.source,
            "contract_version": entry.contract_version,
            "status": entry.status,
            "reason_code": entry.reason_code,
            "reason": entry.reason,
            "received": entry.counts.received,
            "accepted": entry.counts.accepted,
            "held": entry.counts.held,
            "duplicate": entry.counts.duplicate,
            "size_bytes": entry.upload.size_bytes,
            "notes": json.dumps(entry.notes),
            "replay_of": entry.replay_of,
            "received_at": entry.received_at,
            "duration_ms": int((now - entry.received_at).total_seconds() * 1000),
        },
    )


def _known(duck: Duck, upload: UploadedObject, upload_id: str) -> tuple[str | None, bool]:
    """The id of this version of the object, if it was brought in, and whether ``upload_id`` is taken."""
    ids = {"upload_id": upload_id, "version_id": upload.upload_id}
    rows = duck.execute(statement("ingest/known"), {**_identity(upload), **ids})
    versions = [row[0] for row in rows if row[1]]
    return (versions[0] if versions else None), any(row[0] == upload_id for row in rows)


def _identity(upload: UploadedObject) -> dict[str, str]:
    return {
        "bucket": upload.bucket,
        "object_key": upload.key,
        "object_version": upload.version,
        "etag": upload.etag,
    }
