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


@dataclass(frozen=True)
class Found:
    """What the ledger says about an object; ids are "" where there is none.

    ``known`` is this very version, ``later`` a later version of its key that is in the lake, ``is_taken`` says that an
    earlier version has the usual id.
    """

    known: str = ""
    later: str = ""
    is_taken: bool = False


def find(duck: Duck, upload: UploadedObject) -> Found:
    """Look an object up."""
    upload_id = upload_id_of(upload)
    ids = {"upload_id": upload_id, "version_id": upload.upload_id}
    rows = duck.execute(statement("ingest/known"), {**_identity(upload), **ids})
    known = [row[0] for row in rows if row[1]]
    later = [row[0] for row in rows if row[2]]
    return Found(
        known[0] if known else "", later[0] if later else "", any(row[0] == upload_id and not row[1] for row in rows)
    )


def superseded(entry: Entry, later: str) -> Entry:
    """The entry of a version that arrives after a later one of the same key: its rows would undo that one's."""
    reason = f"A later version of this object is in the lake already, from upload {later}."
    return replace(entry, status="skipped", reason_code="superseded", reason=reason)


def same_content(duck: Duck, entry: Entry) -> Entry | None:
    """The entry as skipped, every row a duplicate, when its bytes are in the lake already and nothing came since.

    That is: the same bytes were loaded for the same inbox folder, and no later upload was loaded into a dataset they
    went into; else they may bring something back, and are worth to be looked at row by row.
    """
    same = {"content_hash": entry.content_hash, "dataset": entry.dataset}
    rows = duck.execute(statement("ingest/same_content"), same)
    if not rows or duck.value(statement("ingest/touched_since"), {"upload_id": rows[0][0]}):
        return None
    upload_id, received = rows[0]
    counts = RowCounts(received=received, accepted=0, held=0, duplicate=received)
    reason = f"The same bytes are in the lake already, from upload {upload_id}."
    return replace(entry, status="skipped", reason_code="same_content", reason=reason, counts=counts)


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


def _identity(upload: UploadedObject) -> dict[str, str]:
    return {
        "bucket": upload.bucket,
        "object_key": upload.key,
        "object_version": upload.version,
        "sequence": upload.sequence,
        "etag": upload.etag,
    }
