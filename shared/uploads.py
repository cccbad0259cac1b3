"""Uploads from the sender's side: a place to put a file, what became of it, and the wait for it.

The rule: everything that changes a lake is an object in the inbox; this module writes there and to the upload's own
record, and reads the ledger. It never writes a lake.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from shared.catalog.reader import LakeReader
from shared.errors import (
    AppError,
    EmptyFileError,
    InputError,
    InvalidParameterError,
    NothingToReplayError,
    ObjectNotFoundError,
    UnknownDatasetError,
    UnknownUploadError,
    UploadTooLargeError,
)
from shared.formats.table import ReadOptions
from shared.inbox import AUTO, COMMANDS, UPLOAD_ID, edit_body, inbox_key, new_upload_id, record_key, safe_name
from shared.keys import Principal
from shared.paging import Cursors
from shared.steps.expected import ExpectedRow
from shared.steps.receive import upload_id_of
from shared.steps.room import require_room
from shared.storage.base import ObjectStore, SignedUrl
from shared.upload_reports import UploadReports
from shared.upload_state import UploadState, ledger_state
from shared.values import NAME, UploadedObject

log = logging.getLogger("teal.uploads")

_POLL_SECONDS = (0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.5)


@dataclass(frozen=True)
class UploadOrder:
    """What a sender says about a file. ``options`` are read options by name; ``replaces`` is a held upload's id."""

    dataset: str
    filename: str
    content_type: str = "application/octet-stream"
    size_bytes: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    replaces: str = ""


@dataclass(frozen=True)
class UploadRules:
    """What an installation allows; see the settings of the same names. ``bucket`` is the inbox's name in its events."""

    bucket: str
    write_wait_seconds: float = 10.0
    signed_url_seconds: int = 900
    max_upload_bytes: int = 10 * 2**30
    max_page_rows: int = 10_000


@dataclass(frozen=True)
class Uploads:
    """The uploads of all tenants; every method takes the tenant's principal or name, which comes from a credential.

    ``announce`` tells an ingest in this process; in a cloud the bucket's own event does, and it does nothing.
    """

    inbox: ObjectStore
    lake: ObjectStore
    reader_of: Callable[[str], LakeReader]
    announce: Callable[[UploadedObject], None]
    cursors: Cursors
    rules: UploadRules
    read_options: frozenset[str] = frozenset()

    def place(self, principal: Principal, order: UploadOrder) -> tuple[str, str]:
        """A new upload's id and its key in the inbox, for whoever may write there; its record is written.

        Raises InvalidParameterError, UploadTooLargeError, StorageFullError, NothingToReplayError.
        """
        if not NAME.match(order.dataset) or order.dataset.startswith("_"):
            raise InvalidParameterError("dataset: a lower-case name of a-z, 0-9 and _, or auto")
        most = self._max_bytes(principal)
        if order.size_bytes is not None and order.size_bytes > most:
            raise UploadTooLargeError(f"Files may have {most:,} bytes at most.", max_bytes=most)
        self._require_room(principal)
        self._check_options(order.options)
        if order.replaces and self.state(principal.tenant, order.replaces).status == "loaded":
            raise NothingToReplayError("The upload this one replaces is in the lake already.")
        upload_id = new_upload_id()
        key = inbox_key(principal.tenant, order.dataset, upload_id, safe_name(order.filename))
        record = {
            "upload_id": upload_id,
            "key": key,
            "dataset": order.dataset,
            "filename": order.filename,
            "content_type": order.content_type,
            "size_bytes": order.size_bytes,
            "options": dict(order.options),
            "replaces": order.replaces,
            "author": principal.key_id,
            "created_at": datetime.now(UTC).isoformat(),
        }
        self._write_record(principal.tenant, record)
        return upload_id, key

    def create(self, principal: Principal, order: UploadOrder) -> tuple[str, SignedUrl]:
        """A new upload's id and the URL for its one PUT. Raises InvalidParameterError, UploadTooLargeError."""
        upload_id, key = self.place(principal, order)
        url = self.inbox.sign_put(
            key,
            seconds=self.rules.signed_url_seconds,
            content_type=order.content_type,
            size_bytes=order.size_bytes,
            max_bytes=self._max_bytes(principal),
        )
        return upload_id, url

    def receive(self, principal: Principal, order: UploadOrder, body: bytes) -> UploadState:
        """Put a small file into the inbox and wait for what becomes of it. Raises EmptyFileError and as ``create``."""
        if not body:
            raise EmptyFileError("The file has no bytes.")
        upload_id, key = self.place(principal, replace(order, size_bytes=len(body)))
        return self._put_and_wait(principal.tenant, upload_id, key, body, order.content_type)

    def submit_rows(
        self, principal: Principal, dataset: str, rows: list[dict[str, Any]], expected: ExpectedRow | None = None
    ) -> UploadState:
        """Put row edits into the inbox as one small file and wait; ``rows`` are whole rows by column name.

        Unless the lake has the ``expected`` row when they are committed, they are held. Raises UnknownDatasetError for
        a name of which files are none: what lies in that folder is an order, and not for everybody who may write.
        """
        if dataset.startswith("_"):
            raise UnknownDatasetError(f"There is no dataset {dataset[:63]}.")
        upload_id = new_upload_id()
        key = inbox_key(principal.tenant, dataset, upload_id, "row.ndjson")
        if expected is not None:
            record = {
                "upload_id": upload_id,
                "key": key,
                "dataset": dataset,
                "filename": "row.ndjson",
                "author": principal.key_id,
                "expected": asdict(expected),
            }
            self._write_record(principal.tenant, record)
        body = edit_body(upload_id, rows)
        return self._put_and_wait(principal.tenant, upload_id, key, body, "application/x-ndjson")

    def command(self, principal: Principal, command: str, arguments: Mapping[str, Any]) -> UploadState:
        """Put a command into the inbox and wait for its row of the ledger."""
        upload_id = new_upload_id()
        document = {**arguments, "command": command, "author": principal.key_id}
        key = inbox_key(principal.tenant, COMMANDS, upload_id, f"{command}.json")
        body = json.dumps(document, default=str).encode()
        return self._put_and_wait(principal.tenant, upload_id, key, body, "application/json")

    def register_contract(self, principal: Principal, contract: Mapping[str, Any]) -> UploadState:
        """Put a new contract, or the next version of one, into the inbox. Raises InvalidParameterError."""
        name = str(contract.get("name", ""))
        if name == AUTO or name.startswith("_"):
            raise InvalidParameterError("name: auto and names that start with _ are reserved")
        return self.command(principal, "register_contract", {"contract": contract})

    def replay(self, principal: Principal, upload_id: str, arguments: Mapping[str, Any]) -> UploadState:
        """Bring a held upload in again, by another contract version or with read options.

        Raises UnknownUploadError, NothingToReplayError when it is loaded, InvalidParameterError.
        """
        state = self.state(principal.tenant, upload_id)
        if not state.settled:
            raise NothingToReplayError("This upload has not been looked at yet.")
        if state.status == "loaded" and not state.held:
            raise NothingToReplayError("This upload is in the lake as a whole.")
        if state.dataset == COMMANDS:
            raise NothingToReplayError("This was a command and no file; give it again.")
        self._check_options(arguments.get("options") or {})
        return self.command(principal, "replay", {**arguments, "upload_id": upload_id})

    def state(self, tenant: str, upload_id: str) -> UploadState:
        """What became of an upload. Raises UnknownUploadError."""
        if not UPLOAD_ID.match(upload_id):
            raise UnknownUploadError("There is no such upload.")
        reader = self.reader_of(tenant)
        with reader.pin() as lake:
            found = ledger_state(lake, upload_id)
        record = self._record(tenant, upload_id)
        if found is None and record:
            # Who asks is waiting for it: the newest catalog is worth a request before the freshness interval is over.
            reader.refresh()
            with reader.pin() as lake:
                found = ledger_state(lake, upload_id)
        if found is not None:
            return replace(found, filename=record.get("filename") or found.filename) if record else found
        if not record:
            raise UnknownUploadError("There is no such upload.")
        try:
            info = self.inbox.head(record["key"])
        except ObjectNotFoundError:
            return UploadState(upload_id, "waiting", record["dataset"], record["filename"])
        return UploadState(
            upload_id,
            "received",
            record["dataset"],
            record["filename"],
            size_bytes=info.size_bytes,
            received_at=info.modified_at,
        )

    @property
    def reports(self) -> UploadReports:
        """What is told of uploads once they were looked at."""
        return UploadReports(self.lake, self.reader_of, self.cursors, self.rules.max_page_rows, self.state)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _max_bytes(self, principal: Principal) -> int:
        """The largest file that somebody may send."""
        return min(self.rules.max_upload_bytes, principal.limits.upload_bytes or self.rules.max_upload_bytes)

    def _require_room(self, principal: Principal) -> None:
        """Raises StorageFullError when the lake's newest snapshot has as many bytes as it may."""
        most = principal.tenant_limits.stored_bytes
        if most is None:
            return
        with self.reader_of(principal.tenant).pin() as lake:
            require_room(lake.duck, lake.alias, most)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        if unknown := sorted(set(options) - self.read_options):
            known = ", ".join(sorted(self.read_options))
            raise InvalidParameterError(f"options.{unknown[0]}: not a read option; there are {known}")
        try:
            ReadOptions(**options)
        except InputError as error:
            raise InvalidParameterError(f"options: {error.message}") from error

    def _put_and_wait(self, tenant: str, upload_id: str, key: str, body: bytes, content_type: str) -> UploadState:
        info = self.inbox.put(key, body, content_type=content_type)
        etag = info.etag.strip('"')
        self.tell(UploadedObject(self.rules.bucket, key, info.version, etag, len(body), info.modified_at))
        state = self.wait(tenant, upload_id)
        return state or UploadState(upload_id, "received", size_bytes=len(body), received_at=info.modified_at)

    def tell(self, upload: UploadedObject) -> None:
        """Announce an object that is in the inbox; a failure that time heals is not the sender's."""
        try:
            self.announce(upload)
        except AppError as error:
            if not error.again:
                raise
            told = {"code": error.code, "upload_id": upload_id_of(upload)}
            log.warning("ingest will be tried again", extra=told)

    def wait(self, tenant: str, upload_id: str) -> UploadState | None:
        """The upload's row of the ledger, or None when it is not there in time."""
        reader = self.reader_of(tenant)
        give_up_at = time.monotonic() + self.rules.write_wait_seconds
        for attempt in range(1_000_000):
            reader.refresh()
            with reader.pin() as lake:
                if (found := ledger_state(lake, upload_id)) is not None:
                    return found
            pause = _POLL_SECONDS[min(attempt, len(_POLL_SECONDS) - 1)]
            if time.monotonic() + pause > give_up_at:
                break
            time.sleep(pause)
        return None

    def _write_record(self, tenant: str, record: Mapping[str, Any]) -> None:
        body = json.dumps(record, ensure_ascii=False).encode()
        self.lake.put(record_key(tenant, record["upload_id"]), body, content_type="application/json")

    def _record(self, tenant: str, upload_id: str) -> dict[str, Any]:
        try:
            body, _ = self.lake.get(record_key(tenant, upload_id))
        except ObjectNotFoundError:
            return {}
        record: dict[str, Any] = json.loads(body)
        return record
