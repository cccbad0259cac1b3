"""Brings a lost or damaged catalog back from the bucket's former versions; nothing is erased.

The rule: only a catalog is put back that opens and all of whose files are there, the newest such. What was committed
after it is reported: the inbox still has those uploads, and delivering them again loads them again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.writer import LAKE
from shared.duck import Duck
from shared.errors import AppError, CatalogLostError, ObjectNotFoundError
from shared.lake_files import LakeFile, files_of, lacking, listing_of
from shared.sql.load import statement
from shared.storage.base import ObjectInfo, ObjectStore
from shared.tidy import RESTORER

log = logging.getLogger("teal.restore")

SKIPPED_SNAPSHOTS = 10_000
"""Added to the newest id, so that a snapshot that was lost never shares its number, and its ETag, with another one."""


@dataclass(frozen=True)
class Restored:
    """What a restore did: ``changed`` is False when the catalog was whole.

    ``version_at`` is when the chosen catalog was written, ``files_brought_back`` counts deleted data files that came
    back from their own former versions, ``again`` are inbox objects the ledger does not know (any more).
    """

    changed: bool
    snapshot_id: int
    version_at: datetime | None
    files_brought_back: int
    again: tuple[ObjectInfo, ...]


@dataclass(frozen=True)
class RestoreCatalog:
    """Restores one lake. Nobody needs to be stopped for it: a commit that wins meanwhile makes the restore fail."""

    lake: ObjectStore
    inbox: ObjectStore
    catalog_of: Callable[[str], Catalog]
    session: Callable[[], AbstractContextManager[Duck]]
    work_directory: Path | None = None

    def __call__(self, tenant: str) -> Restored:
        """Put the newest whole catalog back. Raises CatalogLostError when none is whole, PreconditionFailedError."""
        catalog = self.catalog_of(tenant)
        with TemporaryDirectory(prefix="teal-restore-", dir=self.work_directory) as name:
            folder = Path(name)
            etag = ""
            try:
                current = catalog.fetch(folder)
                assert current is not None  # noqa: S101 - fetch without `unless` never answers "unchanged"
                etag = current.etag
                snapshot, brought = self._whole(tenant, catalog, current.path)
                return Restored(bool(brought), snapshot, None, brought, self._unknown(tenant, catalog, current.path))
            except (ObjectNotFoundError, CatalogLostError) as error:
                log.warning("no whole catalog", extra={"tenant": tenant, "code": error.code})
            version, copy, brought = self._newest_whole(tenant, catalog, folder)
            snapshot = self._mark(catalog, copy.path, version.modified_at)
            catalog.swap(copy.path, etag=etag)
            log.warning("catalog restored", extra={"tenant": tenant, "snapshot": snapshot})
            again = self._unknown(tenant, catalog, copy.path)
            return Restored(True, snapshot, version.modified_at, brought, again)

    def _newest_whole(self, tenant: str, catalog: Catalog, folder: Path) -> tuple[ObjectInfo, CatalogCopy, int]:
        for version in catalog.former():
            try:
                copy = catalog.fetch_former(folder, version.version)
                _, brought = self._whole(tenant, catalog, copy.path)
                return version, copy, brought
            except (ObjectNotFoundError, CatalogLostError) as error:
                log.info("a former catalog is not whole", extra={"tenant": tenant, "code": error.code})
        raise CatalogLostError("No kept version of the catalog opens and has all its files.")

    def _whole(self, tenant: str, catalog: Catalog, path: Path) -> tuple[int, int]:
        """The newest snapshot of a catalog copy and how many files had to be brought back. Raises CatalogLostError."""
        try:
            with self.session() as duck:
                duck.attach(path, LAKE, catalog.data_uri, read_only=True)
                try:
                    snapshot = int(duck.value(f"FROM {LAKE}.current_snapshot()"))
                    duck.execute(f"SELECT count(*) FROM {LAKE}.teal.contracts")
                    files = files_of(duck, self.lake, tenant)
                finally:
                    duck.detach(LAKE)
        except AppError as error:
            raise CatalogLostError("This catalog does not open.") from error
        # The newest snapshot must be whole; of older ones, what is gone for good stays gone.
        gone = lacking(files, listing_of(self.lake, tenant))
        brought = [self._bring_back(file) for file in gone]
        if any(file.current and not back for file, back in zip(gone, brought, strict=True)):
            raise CatalogLostError("Files of this catalog are gone.")
        return snapshot, sum(brought)

    def _bring_back(self, file: LakeFile) -> bool:
        """Put a deleted data file back from the store's own former version of it, when one has the recorded size."""
        if file.key is None:
            return False
        fitting = [info for info in self.lake.versions(file.key) if info.size_bytes == file.size_bytes and info.version]
        if not fitting:
            return False
        with TemporaryDirectory(prefix="teal-file-", dir=self.work_directory) as folder:
            path = Path(folder) / secrets.token_hex(8)
            self.lake.download(file.key, path, version=fitting[0].version)
            self.lake.put_file(file.key, path)
        return True

    def _mark(self, catalog: Catalog, path: Path, written_at: datetime) -> int:
        message = f"catalog of {written_at:%Y-%m-%d %H:%M:%S} restored"
        with self.session() as duck:
            duck.attach(path, LAKE, catalog.data_uri, read_only=False)
            try:
                with duck.transaction():
                    duck.execute(statement("tidy/skip_snapshots"), {"skipped": SKIPPED_SNAPSHOTS})
                    duck.execute(statement("tidy/describe_snapshot"), {"author": RESTORER, "message": message})
            finally:
                duck.detach(LAKE)
            duck.attach(path, LAKE, catalog.data_uri, read_only=True)
            try:
                return int(duck.value(f"FROM {LAKE}.current_snapshot()"))
            finally:
                duck.detach(LAKE)

    def _unknown(self, tenant: str, catalog: Catalog, path: Path) -> tuple[ObjectInfo, ...]:
        """Objects of the inbox that no row of the ledger is about."""
        with self.session() as duck:
            duck.attach(path, LAKE, catalog.data_uri, read_only=True)
            try:
                rows = duck.execute(statement("tidy/ledger_objects"))
            finally:
                duck.detach(LAKE)
        by_version = {(key, version) for key, version, _ in rows if version}
        by_etag = {(key, etag) for key, _, etag in rows if etag}
        return tuple(
            info
            for info in self.inbox.list(f"inbox/{tenant}/")
            if (info.key, info.version) not in by_version and (info.key, info.etag.strip('"')) not in by_etag
        )
