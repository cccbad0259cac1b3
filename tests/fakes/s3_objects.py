"""Buckets, versions and conditions of the S3 fake: what is true there, without any HTTP.

The rule: a condition is checked and its write is done under one lock, so of any number of racing writers one wins.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


class RefusedError(Exception):
    """An answer other than success: the HTTP status and S3's code for it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Stored:
    """One version of an object, or the mark that it was deleted. ``etag`` is quoted."""

    key: str
    body: bytes
    etag: str
    content_type: str
    is_marker: bool = False
    version: str = field(default_factory=lambda: secrets.token_hex(16))
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Upload:
    """An upload in parts that has begun."""

    bucket: str
    key: str
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """Versions by key, oldest first; without versioning a key has one."""

    versioning: bool = False
    keys: dict[str, list[Stored]] = field(default_factory=dict)


class Objects:
    """All buckets."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._uploads: dict[str, Upload] = {}

    def create_bucket(self, name: str) -> None:
        """Make a bucket; an existing one stays as it is."""
        with self._lock:
            self._buckets.setdefault(name, Bucket())

    def bucket(self, name: str) -> Bucket:
        """Raises 404 for a bucket that does not exist."""
        found = self._buckets.get(name)
        if found is None:
            raise RefusedError(404, "NoSuchBucket")
        return found

    def find(self, bucket: str, key: str, version: str = "") -> Stored:
        """The live object, or a version of it. Raises 404, and 405 for the version that marks a deletion."""
        with self._lock:
            versions = self.bucket(bucket).keys.get(key, [])
            if not version:
                if not versions or versions[-1].is_marker:
                    raise RefusedError(404, "NoSuchKey")
                return versions[-1]
            for stored in versions:
                if stored.version == version:
                    if stored.is_marker:
                        raise RefusedError(405, "MethodNotAllowed")
                    return stored
            raise RefusedError(404, "NoSuchVersion")

    def put(
        self, bucket: str, key: str, body: bytes, content_type: str, conditions: Mapping[str, str], etag: str = ""
    ) -> Stored:
        """Write if the conditions hold (``If-Match``, ``If-None-Match: *``). Raises 404 and 412."""
        # Hashing is slow and may run beside other requests; nothing else may happen outside the lock.
        stored = Stored(key, body, etag or etag_of(body), content_type)
        with self._lock:
            self._check(bucket, key, conditions)
            self._append(bucket, stored)
        return stored

    def delete(self, bucket: str, key: str, version: str = "") -> Stored | None:
        """Mark the key as deleted (with versioning: returns the mark) or remove it, or one version for good."""
        with self._lock:
            home = self.bucket(bucket)
            if version:
                home.keys[key] = [stored for stored in home.keys.get(key, []) if stored.version != version]
                return None
            if home.versioning:
                return self._append(bucket, Stored(key, b"", "", "", is_marker=True))
            home.keys.pop(key, None)
            return None

    def listed(self, bucket: str, prefix: str, *, versions: bool) -> list[Stored]:
        """By key in UTF-8 order, the newest version first."""
        with self._lock:
            home = self.bucket(bucket)
            keys = sorted((key for key in home.keys if key.startswith(prefix)), key=str.encode)
            newest_first: Iterator[Stored] = (stored for key in keys for stored in reversed(home.keys[key]))
            if versions:
                return list(newest_first)
            return [home.keys[key][-1] for key in keys if home.keys[key] and not home.keys[key][-1].is_marker]

    def begin(self, upload: Upload) -> str:
        """The id of a new upload in parts."""
        with self._lock:
            self.bucket(upload.bucket)
            upload_id = secrets.token_hex(16)
            self._uploads[upload_id] = upload
            return upload_id

    def add_part(self, upload_id: str, number: int, body: bytes) -> str:
        """Keep a part and return its ETag. Raises 404."""
        with self._lock:
            self._upload(upload_id).parts[number] = body
        return etag_of(body)

    def finish(self, upload_id: str, numbers: Iterable[int], conditions: Mapping[str, str]) -> Stored:
        """Turn the named parts into an object. Raises 400, 404 and 412."""
        with self._lock:
            upload = self._upload(upload_id)
            try:
                parts = [upload.parts[number] for number in numbers]
            except KeyError:
                raise RefusedError(400, "InvalidPart") from None
            digests = b"".join(hashlib.md5(part).digest() for part in parts)
            etag = f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'
            stored = self.put(upload.bucket, upload.key, b"".join(parts), upload.content_type, conditions, etag)
            del self._uploads[upload_id]
            return stored

    def abandon(self, upload_id: str) -> None:
        """Forget an upload in parts."""
        self._uploads.pop(upload_id, None)

    def _upload(self, upload_id: str) -> Upload:
        if upload_id not in self._uploads:
            raise RefusedError(404, "NoSuchUpload")
        return self._uploads[upload_id]

    def _append(self, bucket: str, stored: Stored) -> Stored:
        home = self.bucket(bucket)
        former = home.keys.get(stored.key, []) if home.versioning else []
        home.keys[stored.key] = [*former, stored]
        return stored

    def _check(self, bucket: str, key: str, conditions: Mapping[str, str]) -> None:
        versions = self.bucket(bucket).keys.get(key, [])
        live = versions[-1] if versions and not versions[-1].is_marker else None
        wanted, unwanted = conditions.get("if-match"), conditions.get("if-none-match")
        if unwanted is not None and unwanted != "*":
            raise RefusedError(501, "NotImplemented")
        if wanted is not None and live is None:
            raise RefusedError(404, "NoSuchKey")
        if (wanted is not None and live and wanted.strip('"') != live.etag.strip('"')) or (unwanted and live):
            raise RefusedError(412, "PreconditionFailed")


def etag_of(body: bytes) -> str:
    """S3's ETag of an object that was put in one piece."""
    return f'"{hashlib.md5(body).hexdigest()}"'


def crc32_of(body: bytes) -> str:
    """S3's CRC32 checksum: base64 of the big-endian number."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
