"""First step of an ingest: which tenant and dataset a key means, and its bytes on local disk with their hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from shared.errors import InputError
from shared.storage.base import ObjectStore
from shared.values import NAME, InboxKey, UploadedObject

COMMANDS = "_commands"
"""The inbox folder whose objects are not files but orders: replay, register a contract, roll back."""

_MADE_BY_API = re.compile(r"u[0-9a-f]{23}\Z")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UNSAFE = re.compile("[?#\\\\\x01-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What an address, a path or a line takes for something else than a letter, or shows in another order."""
MAX_KEY_BYTES = 1_024


class UnknownInboxKeyError(InputError):
    """The key is not ``inbox/<tenant>/<dataset>/<file>`` with names we take."""

    code = "unknown_inbox_key"


def inbox_key_from(key: str) -> InboxKey:
    """Take a key apart. Raises UnknownInboxKeyError."""
    parts = key.split("/", 3)
    if len(parts) != 4 or parts[0] != "inbox" or not parts[3] or _NO_TEXT.search(key):
        raise UnknownInboxKeyError("Files belong under inbox/<tenant>/<dataset>/<file>.")
    _, tenant, dataset, path = parts
    if not NAME.match(tenant) or not NAME.match(dataset):
        raise UnknownInboxKeyError("Tenant and dataset are lower-case names: a-z, 0-9 and _, at most 63.")
    return InboxKey(tenant, dataset, path)


def require_plain(key: str) -> None:
    """Raises UnknownInboxKeyError for a key that something may take for more than a name, or for another one."""
    if _UNSAFE.search(key):
        raise UnknownInboxKeyError(r"A file's name may have no ?, # or \ and no character that cannot be seen.")
    if len(key.encode()) > MAX_KEY_BYTES or any(part in ("", ".", "..") for part in key.split("/")):
        raise UnknownInboxKeyError("A file's path may not climb, and is no longer than 1,024 bytes.")


def upload_id_of(upload: UploadedObject) -> str:
    """The id the API gave the upload, from its key; else one made from bucket, key and version."""
    folder = inbox_key_from(upload.key).path.split("/", 1)[0]
    return folder if _MADE_BY_API.match(folder) else upload.upload_id


def identified(inbox: ObjectStore, upload: UploadedObject) -> UploadedObject:
    """The upload with everything its event left out, so that every delivery has the same identity.

    Raises ObjectNotFoundError, StoreUnavailableError.
    """
    if (upload.version or upload.etag) and upload.size_bytes >= 0:
        return replace(upload, etag=upload.etag.strip('"'))
    info = inbox.head(upload.key)
    return replace(upload, version=info.version, etag=info.etag.strip('"'), size_bytes=info.size_bytes)


def download(store: ObjectStore, upload: UploadedObject, folder: Path) -> tuple[Path, str]:
    """The object's bytes in a local file, and their SHA-256. Raises ObjectNotFoundError, StoreUnavailableError."""
    path = folder / "upload"
    store.download(upload.key, path, version=upload.version)
    with path.open("rb") as file:
        return path, hashlib.file_digest(file, "sha256").hexdigest()
