"""Which files a lake needs, and whether they are there: the catalog's list compared with the store's; reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.catalog.stored import lake_prefix
from shared.duck import Duck
from shared.sql.load import statement
from shared.storage.base import ObjectInfo, ObjectStore


@dataclass(frozen=True)
class LakeFile:
    """A file some snapshot needs (``current``: the newest one); ``key`` is None when it lies outside this store."""

    key: str | None
    size_bytes: int
    current: bool


@dataclass(frozen=True)
class ScheduledFile:
    """A file no snapshot needs any more, since ``since``."""

    file_id: int
    key: str | None
    since: datetime


def files_of(duck: Duck, store: ObjectStore, tenant: str) -> list[LakeFile]:
    """Every file that any snapshot of the lake attached as ``lake`` needs."""
    rows = duck.execute(statement("tidy/files"))
    return [LakeFile(_key(store, tenant, address, is_uri), size, current) for address, is_uri, size, current in rows]


def scheduled_of(duck: Duck, store: ObjectStore, tenant: str) -> list[ScheduledFile]:
    """Every file that waits for its deletion in the lake attached as ``lake``."""
    rows = duck.execute(statement("tidy/scheduled"))
    return [ScheduledFile(number, _key(store, tenant, path, is_uri), since) for number, path, is_uri, since in rows]


def listing_of(store: ObjectStore, tenant: str) -> dict[str, ObjectInfo]:
    """Every object below a tenant's lake by key: data, held rows, stored answers and the catalog."""
    return {info.key: info for info in store.list(lake_prefix(tenant))}


def lacking(files: Sequence[LakeFile], listing: Mapping[str, ObjectInfo]) -> list[LakeFile]:
    """Files that are not there, or not with the size they were written with. Pure."""
    return [
        file
        for file in files
        if file.key is not None and (file.key not in listing or listing[file.key].size_bytes != file.size_bytes)
    ]


def said(file: LakeFile, listing: Mapping[str, ObjectInfo]) -> str:
    """A line for people about a file that is lacking."""
    found = listing.get(file.key or "")
    who = "the newest snapshot" if file.current else "an older snapshot"
    what = f"has {found.size_bytes:,} bytes, not {file.size_bytes:,}" if found else "is missing"
    return f"{file.key} of {who} {what}"


def _key(store: ObjectStore, tenant: str, address: str, is_uri: bool) -> str | None:
    if not is_uri:
        return f"{lake_prefix(tenant)}data/{address}"
    root = store.uri + "/"
    # DuckDB may spell Google's scheme either way.
    address = address.replace("gcs://", "gs://", 1)
    return address.removeprefix(root) if address.startswith(root) else None
