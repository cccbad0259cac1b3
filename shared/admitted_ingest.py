"""Brings in what tenants may bring in: of a suspended or full one uploads are held, of a deleted one not looked at.

The rule: a tenant that is gone never gets a lake again by an upload that was on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.catalog.reader import LakeReader
from shared.catalog.writer import Change, LakeWriter, NothingToCommit
from shared.commands import command_from
from shared.duck import Duck
from shared.errors import AppError, InputError, StorageFullError, UploadTooLargeError
from shared.limits import UNLIMITED, Limits
from shared.outcome import Outcome, message_of, outcome_of, skipped
from shared.steps import ledger
from shared.steps.receive import COMMANDS, identified, inbox_key_from, upload_id_of
from shared.steps.room import require_room
from shared.storage.base import ObjectStore
from shared.tenants import TenantDeletedError, Tenants, TenantSuspendedError
from shared.values import InboxKey, RowCounts, UploadedObject

log = logging.getLogger("teal.ingest")

_NO_ROWS = RowCounts(0, 0, 0, 0)


@dataclass(frozen=True)
class AdmittedIngest:
    """The ingest of an installation: what its tenants may bring in is brought in by ``ingest``."""

    ingest: Callable[[UploadedObject], Outcome]
    tenants: Tenants
    inbox: ObjectStore
    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    reader_of: Callable[[str], LakeReader]
    tell: Callable[[Outcome], None]
    limits: Limits = UNLIMITED

    def __call__(self, upload: UploadedObject) -> Outcome:
        """See IngestUpload; also raises StoreUnavailableError when nobody knows whether the tenant is active."""
        key = inbox_key_from(upload.key)
        try:
            # Not from memory: an upload is rare beside a request, and a lake that comes back is a deletion undone.
            tenant = self.tenants.now(key.tenant)
            tenant.require_active()
            upload = identified(self.inbox, upload)
            self._require_room(upload, key, tenant.limits.over(self.limits))
        except (TenantSuspendedError, StorageFullError, UploadTooLargeError) as error:
            outcome = self._hold(upload, key.tenant, key.dataset, error)
        except TenantDeletedError as error:
            outcome = Outcome(
                upload_id_of(upload), key.tenant, key.dataset, "skipped", _NO_ROWS, 0, error.code, error.message
            )
        else:
            return self.ingest(upload)
        told = {"tenant": outcome.tenant, "upload_id": outcome.upload_id, "reason_code": outcome.reason_code}
        log.info("upload %s", outcome.status, extra=told)
        self.tell(outcome)
        return outcome

    def _require_room(self, upload: UploadedObject, key: InboxKey, limits: Limits) -> None:
        """Raises StorageFullError, UploadTooLargeError."""
        if limits.upload_bytes is not None and upload.size_bytes > limits.upload_bytes:
            raise UploadTooLargeError(f"Files may have {limits.upload_bytes:,} bytes at most.")
        if limits.stored_bytes is not None and self._brings_rows(upload, key):
            with self.reader_of(key.tenant).pin() as lake:
                require_room(lake.duck, lake.alias, limits.stored_bytes)

    def _brings_rows(self, upload: UploadedObject, key: InboxKey) -> bool:
        """Of commands only a replay does; the others may make room."""
        if key.dataset != COMMANDS:
            return True
        try:
            return command_from(self.inbox.get(upload.key, version=upload.version)[0]).name == "replay"
        except InputError:
            return False

    def _hold(self, upload: UploadedObject, tenant: str, dataset: str, error: AppError) -> Outcome:
        """A row of the ledger that a replay finds, and nothing else: the object stays where it is."""
        upload = identified(self.inbox, upload)
        entry = ledger.Entry(
            upload_id_of(upload),
            upload,
            dataset,
            datetime.now(UTC),
            status="held",
            reason_code=error.code,
            reason=error.message,
        )
        with self.session() as duck:

            def change(change: Change) -> Outcome:
                found = ledger.find(duck, upload)
                if found.known:
                    # Everybody heard of it when it was held.
                    raise NothingToCommit(skipped(replace(entry, reason_code=""), tenant, found.known))
                held = replace(entry, upload_id=upload.upload_id) if found.is_taken else entry
                ledger.record(duck, held, now=datetime.now(UTC))
                change.message = message_of(held)
                return outcome_of(held, tenant, 0)

            committed = self.writer_of(tenant).commit(f"upload {entry.upload_id}", change, duck=duck)
        return replace(committed.result, snapshot_id=committed.snapshot_id)
