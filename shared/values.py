"""The nouns every layer shares: plain frozen values without behaviour beyond their own consistency."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
"""Tenant, dataset and column names of contracts: lower case, safe as an SQL identifier and as a part of a key."""

LARGEST_WHOLE = 2**53 - 1
"""The largest whole number that every reader of JSON takes for itself."""


@dataclass(frozen=True)
class UploadedObject:
    """An object somebody put into the inbox, as an event told us.

    ``bucket`` is the inbox's name, ``key`` is URL-decoded, ``version`` is the store's version id or generation ("" when
    the store keeps none) and ``etag`` its ETag ("" when the event carried none). ``size_bytes`` is -1 when unknown.
    ``sequence`` orders the versions of one key: the greater text is the later version; "" when nobody told.
    """

    bucket: str
    key: str
    version: str = ""
    etag: str = ""
    size_bytes: int = -1
    uploaded_at: datetime | None = None
    sequence: str = ""

    @property
    def upload_id(self) -> str:
        """The same for every delivery of this very version, different for any other: 24 hexadecimal digits."""
        # Without versions, the same bytes that come back after others are told apart by their place in the order.
        identity = "\0".join((self.bucket, self.key, self.version or self.etag + self.sequence))
        return hashlib.sha256(identity.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class InboxKey:
    """A key of the inbox taken apart: ``inbox/<tenant>/<dataset>/<path>``; ``dataset`` may be ``auto``."""

    tenant: str
    dataset: str
    path: str


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows of an upload; ``received = accepted + held + duplicate`` always."""

    received: int
    accepted: int
    held: int
    duplicate: int

    def __post_init__(self) -> None:
        if self.received != self.accepted + self.held + self.duplicate:
            raise ValueError(f"rows do not add up: {self}")


@dataclass(frozen=True)
class Snapshot:
    """A committed state of a lake."""

    id: int
    committed_at: datetime
    author: str
    message: str
    tables: dict[str, dict[str, int]]
    """Per table touched: rows ``added`` and ``removed``."""


@dataclass(frozen=True)
class DuckAccess:
    """How DuckDB reaches this store's objects: a secret's parameters (never logged) and when they must be renewed.

    ``kind`` is "" for a folder (no secret), else "s3" or "gcs"; ``parameters`` are CREATE SECRET options by name.
    ``scope`` is the uri prefix the secret is for and ends with a slash.
    """

    kind: str
    parameters: dict[str, str | bool]
    scope: str
    expires_at: datetime | None = None
