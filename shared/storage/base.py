"""What every object store promises; adapters live beside this file, one per store, and their exceptions stop there.

A store is bytes under keys in one place (a folder, an S3 bucket, a GCS bucket, optionally below a prefix). Keys are
relative, use ``/`` and are made by us. Every adapter passes ``tests/contract/test_stores.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from shared.values import DuckAccess


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object, without its bytes.

    ``etag`` changes whenever the bytes under the key change; it is opaque outside the adapter that made it.
    ``version`` names this very version where the store keeps versions, else it is empty.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime
    version: str = ""
    content_type: str = ""


@dataclass(frozen=True)
class SignedUrl:
    """A URL that allows one request to one object until it expires, and the headers that request must carry."""

    url: str
    method: str
    headers: dict[str, str]
    expires_at: datetime


class ObjectStore(Protocol):
    """Bytes under keys, with conditional writes.

    Every method may raise StoreUnavailableError (no answer, or a 5xx) or StoreForbiddenError.
    """

    @property
    def uri(self) -> str:
        """The store's root as a full address without a trailing slash: ``s3://bucket/prefix`` or an absolute path."""

    def uri_of(self, key: str) -> str:
        """The full address of a key, as DuckDB reads it."""

    def head(self, key: str) -> ObjectInfo:
        """Facts about the current version. Raises ObjectNotFoundError."""

    def get(self, key: str, *, version: str = "") -> tuple[bytes, ObjectInfo]:
        """The bytes and facts of the current version, or of a named one. Raises ObjectNotFoundError."""

    def get_if_changed(self, key: str, etag: str) -> tuple[bytes, ObjectInfo] | None:
        """The object, or None while its ETag is still ``etag``: one request either way. Raises ObjectNotFoundError."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from offset ``start`` (0-based). Raises ObjectNotFoundError."""

    def download(self, key: str, target: Path, *, version: str = "") -> ObjectInfo:
        """Write the bytes to a local file, streaming: memory does not grow with them. Raises ObjectNotFoundError."""

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """Create or overwrite."""

    def put_file(self, key: str, source: Path, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """Create or overwrite from a local file, streaming."""

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        """Overwrite only if the current ETag is ``etag``; create only if ``etag`` is "".

        Exactly one of many concurrent callers with the same ``etag`` wins. Never retried inside the adapter or the SDK:
        a silent second try would turn a win into a loss. Raises PreconditionFailedError (nothing written) or
        StoreUnavailableError (unknown whether it was written).
        """

    def delete(self, key: str) -> None:
        """Delete the current version; deleting what is not there is fine."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose key starts with ``prefix``, by key, paged inside."""

    def versions(self, key: str) -> Sequence[ObjectInfo]:
        """All kept versions of one key, newest first, also after the key was deleted."""

    def forget_versions(self, key: str, replaced_before: datetime) -> int:
        """Delete versions of a key that another one replaced before an instant; how many.

        An instant in the future takes the last version of a deleted key too.

        A bucket answers 0: its lifecycle rule does that by itself, and no role of ours may delete a version.
        """

    def sign_get(self, key: str, *, seconds: int, filename: str = "") -> SignedUrl:
        """A URL to download one object; ``filename`` sets the attachment name."""

    def sign_put(
        self, key: str, *, seconds: int, content_type: str, size_bytes: int | None = None, max_bytes: int | None = None
    ) -> SignedUrl:
        """A URL to upload one object of that type, and of exactly that size, when given.

        Else it has at most ``max_bytes`` where a store can be told so: S3 cannot.
        """

    def duck_access(self) -> DuckAccess:
        """What DuckDB needs to read and write here; credentials are fresh for at least five minutes."""

    def clock(self) -> datetime:
        """The store's own clock (UTC), from a response; a folder answers with this machine's."""
