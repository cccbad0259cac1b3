"""Uploads as their senders see them: created, put into the inbox, waited for, looked up; nothing here writes data.

Every change of a lake enters through the inbox, because the function that answers requests has no right to write one.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.catalog.reader import LakeReader
from shared.errors import InputError, ObjectNotFoundError, UnknownUploadError, UploadTooLargeError
from shared.sql.load import statement
from shared.steps.hold import held_key
from shared.steps.order import read_options_from, record_key
from shared.steps.receive import COMMANDS
from shared.storage.base import ObjectStore, SignedUrl
from shared.values import NAME, UploadedObject

Announce = Callable[[UploadedObject], None]
"""Tells this process about an object it put into the inbox; a cloud's bucket does that itself."""

_FILENAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.() ")


@dataclass(frozen=True)
class Created:
    """An upload that waits for its bytes, and where to put them."""

    upload_id: str
    key: str
    target: SignedUrl


@dataclass(frozen=True)
class Uploads:
    """The uploads of all tenants; every call names one."""

    inbox: ObjectStore
    lake: ObjectStore
    reader_of: Callable[[str], LakeReader]
    announce: Announce
    wait_seconds: float = 10.0
    signed_url_seconds: int = 900
    max_upload_bytes: int = 10 * 2**30

    def create(
        self,
        tenant: str,
        *,
        dataset: str,
        filename: str,
        content_type: str,
        size_bytes: int | None,
        options: dict[str, Any],
        replaces: str = "",
    ) -> Created:
        """Make room for one file and sign the URL it may be put to. Raises InputError, UploadTooLargeError."""
        if size_bytes is not None and size_bytes > self.max_upload_bytes:
            raise UploadTooLargeError(f"Files may have {self.max_upload_bytes:,} bytes at most.")
        upload_id, key = self._place(tenant, dataset, filename)
        self._record(tenant, upload_id, {"key": key, "options": options, "replaces": replaces})
        target = self.inbox.sign_put(
            key, seconds=self.signed_url_seconds, content_type=content_type, size_bytes=size_bytes
        )
        return Created(upload_id, key, target)

    def submit(
        self,
        tenant: str,
        *,
        dataset: str,
        filename: str,
        body: bytes,
        content_type: str,
        options: dict[str, Any] | None = None,
        replaces: str = "",
    ) -> dict[str, Any]:
        """Put a file into the inbox and wait a while for what becomes of it; its status then, as `status` gives it."""
        upload_id, key = self._place(tenant, dataset, filename)
        self._record(tenant, upload_id, {"key": key, "options": options or {}, "replaces": replaces})
        self._put(key, body, content_type)
        return self._waited_for(tenant, upload_id)

    def command(self, tenant: str, name: str, author: str, **arguments: Any) -> dict[str, Any]:
        """Put a command into the inbox and wait a while for it."""
        upload_id = _new_id()
        key = f"inbox/{tenant}/{COMMANDS}/{upload_id}/{name}.json"
        self._record(tenant, upload_id, {"key": key})
        self._put(key, json.dumps({"command": name, "author": author, **arguments}).encode(), "application/json")
        return self._waited_for(tenant, upload_id)

    def received(self, key: str) -> None:
        """An object arrived in the inbox through a URL we signed ourselves."""
        info = self.inbox.head(key)
        self.announce(UploadedObject("inbox", key, info.version, info.etag, info.size_bytes, info.modified_at))

    def list(self, tenant: str, *, limit: int, before: datetime | None, status: str | None) -> list[dict[str, Any]]:
        """Uploads in the ledger, newest first."""
        with self.reader_of(tenant).pin() as lake:
            found = lake.duck.query(
                statement("uploads/list"), {"limit": limit, "before": before, "status": status}
            )
        return [_shown(dict(zip(found.columns, row, strict=True))) for row in found.rows]

    def status(self, tenant: str, upload_id: str) -> dict[str, Any]:
        """What became of an upload: waiting, received, loaded, held, skipped or rolled_back. Raises UnknownUploadError."""
        with self.reader_of(tenant).pin() as lake:
            found = lake.duck.query(statement("uploads/one"), {"upload_id": upload_id})
        if found.rows:
            return _shown(dict(zip(found.columns, found.rows[0], strict=True)))
        record = self._recorded(tenant, upload_id)
        try:
            info = self.inbox.head(record["key"])
        except ObjectNotFoundError:
            return {"upload_id": upload_id, "status": "waiting"}
        return {"upload_id": upload_id, "status": "received", "size_bytes": info.size_bytes}

    def quality(self, tenant: str, upload_id: str) -> list[dict[str, Any]]:
        """The quality report of each dataset of an upload. Raises UnknownUploadError."""
        self.status(tenant, upload_id)
        with self.reader_of(tenant).pin() as lake:
            found = lake.duck.query(statement("uploads/quality"), {"upload_id": upload_id})
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        return [{**row, "measures": json.loads(row["measures"])} for row in rows]

    def held_rows(self, tenant: str, upload_id: str, *, limit: int, offset: int) -> list[dict[str, Any]]:
        """Held rows by place in the file. Raises UnknownUploadError; an upload without any gives none."""
        if not self.status(tenant, upload_id).get("held"):
            return []
        key = held_key(tenant, upload_id)
        with self.reader_of(tenant).pin() as lake:
            found = lake.duck.query(
                statement("uploads/held"), {"uri": self.lake.uri_of(key), "limit": limit, "offset": offset}
            )
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def _place(self, tenant: str, dataset: str, filename: str) -> tuple[str, str]:
        if not NAME.match(dataset) or dataset == COMMANDS:
            raise InputError("A dataset is a lower-case name: a-z, 0-9 and _, at most 63; or auto.")
        if not filename or len(filename) > 200 or not set(filename) <= _FILENAME_CHARACTERS or not filename.strip(". "):
            raise InputError("A file name has letters, digits, blanks and - _ . ( ), at most 200.")
        upload_id = _new_id()
        return upload_id, f"inbox/{tenant}/{dataset}/{upload_id}/{filename}"

    def _put(self, key: str, body: bytes, content_type: str) -> None:
        info = self.inbox.put(key, body, content_type=content_type)
        self.announce(UploadedObject("inbox", key, info.version, info.etag, len(body), info.modified_at))

    def _waited_for(self, tenant: str, upload_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + self.wait_seconds
        while True:
            self.reader_of(tenant).refresh()
            told = self.status(tenant, upload_id)
            if told["status"] not in ("waiting", "received") or time.monotonic() > deadline:
                return told
            time.sleep(0.2)

    def _record(self, tenant: str, upload_id: str, told: dict[str, Any]) -> None:
        read_options_from(told.get("options") or {})
        body = json.dumps({**told, "created_at": datetime.now(UTC).isoformat()}).encode()
        self.lake.put(record_key(tenant, upload_id), body, content_type="application/json")

    def _recorded(self, tenant: str, upload_id: str) -> dict[str, Any]:
        if not upload_id.isalnum():
            raise UnknownUploadError(f"There is no upload {upload_id[:40]}.")
        try:
            told: dict[str, Any] = json.loads(self.lake.get(record_key(tenant, upload_id))[0])
        except ObjectNotFoundError:
            raise UnknownUploadError(f"There is no upload {upload_id[:40]}.") from None
        return told


def _new_id() -> str:
    return "u" + secrets.token_hex(12)[:23]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "notes": json.loads(row["notes"] or "[]")}
