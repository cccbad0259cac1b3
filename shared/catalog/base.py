"""What a lake's catalog promises: one small object that is read conditionally and replaced by compare-and-swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.storage.base import ObjectInfo


@dataclass(frozen=True)
class CatalogCopy:
    """A local copy of the catalog as it was under ``etag``; the file is the caller's to keep, change or delete."""

    path: Path
    etag: str


class Catalog(Protocol):
    """The only mutable object of a lake."""

    @property
    def data_uri(self) -> str:
        """Where the lake's data files are; ends with a slash."""

    def fetch(self, folder: Path, *, unless: str = "") -> CatalogCopy | None:
        """A fresh copy in ``folder``, or None while the ETag is still ``unless``.

        Raises ObjectNotFoundError when the lake has never been written, CatalogLostError when its data files are there
        and its catalog is not.
        """

    def swap(self, path: Path, *, etag: str) -> str:
        """Replace the catalog if its ETag is still ``etag`` ("" creates it) and return the new ETag.

        Raises PreconditionFailedError (lost the race) or StoreUnavailableError (unknown whether it was written).
        """

    def former(self) -> Sequence[ObjectInfo]:
        """The kept versions of the catalog, newest first: the backup."""

    def fetch_former(self, folder: Path, version: str) -> CatalogCopy:
        """A copy of a kept version; its ``etag`` is "" because it is not the current one."""
