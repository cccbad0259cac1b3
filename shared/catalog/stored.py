"""A lake's catalog as one object of a store: the keys of a tenant are made here and nowhere else."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.catalog.base import CatalogCopy
from shared.errors import CatalogLostError, ObjectNotFoundError
from shared.storage.base import ObjectInfo, ObjectStore


def lake_prefix(tenant: str) -> str:
    """Everything of one tenant is below this key."""
    return f"lake/{tenant}/"


@dataclass(frozen=True)
class StoredCatalog:
    """``lake/<tenant>/catalog.ducklake`` beside ``lake/<tenant>/data/``."""

    store: ObjectStore
    tenant: str

    @property
    def key(self) -> str:
        """The catalog's key."""
        return lake_prefix(self.tenant) + "catalog.ducklake"

    @property
    def data_uri(self) -> str:
        """Where the data files are."""
        return self.store.uri_of(lake_prefix(self.tenant) + "data/")

    def fetch(self, folder: Path, *, unless: str = "") -> CatalogCopy | None:
        """See Catalog.fetch."""
        try:
            if unless:
                changed = self.store.get_if_changed(self.key, unless)
                if changed is None:
                    return None
                body, info = changed
            else:
                body, info = self.store.get(self.key)
        except ObjectNotFoundError:
            if next(iter(self.store.list(lake_prefix(self.tenant) + "data/")), None) is not None:
                raise CatalogLostError(
                    "This lake has data but no catalog. Restore it with `teal doctor --restore-catalog`."
                ) from None
            raise
        return CatalogCopy(_written(folder, body), info.etag)

    def swap(self, path: Path, *, etag: str) -> str:
        """See Catalog.swap."""
        return self.store.put_if_match(self.key, path.read_bytes(), etag=etag).etag

    def former(self) -> Sequence[ObjectInfo]:
        """See Catalog.former."""
        return self.store.versions(self.key)

    def fetch_former(self, folder: Path, version: str) -> CatalogCopy:
        """See Catalog.fetch_former."""
        body, _ = self.store.get(self.key, version=version)
        return CatalogCopy(_written(folder, body), "")


def _written(folder: Path, body: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"catalog-{secrets.token_hex(8)}.ducklake"
    path.write_bytes(body)
    return path
