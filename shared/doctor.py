"""Looks whether an installation and a lake are healthy, check by check; changes nothing but its probe objects."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.writer import LAKE
from shared.datasets.registry import built_in
from shared.duck import Duck, extension_path
from shared.errors import AppError, NotFoundError
from shared.lake_files import files_of, lacking, listing_of, said
from shared.storage.base import ObjectStore
from shared.storage.probe import Finding, probe

EXTENSIONS = ("httpfs", "ducklake")
MOST_SAID = 3
"""Missing files named in one line; all of them are one problem with one cure."""


@dataclass(frozen=True)
class Doctor:
    """Checks the stores, the extensions, and one lake."""

    lake: ObjectStore
    inbox: ObjectStore
    catalog_of: Callable[[str], Catalog]
    session: Callable[[], AbstractContextManager[Duck]]
    work_directory: Path | None = None

    def __call__(self, tenant: str) -> list[Finding]:
        """Every check, failed ones included. Raises StoreUnavailableError and StoreForbiddenError as they come."""
        found = [*self._extensions(), *self._store("lake", self.lake)]
        if self.inbox.uri != self.lake.uri:
            found += self._store("inbox", self.inbox)
        return found + self._catalog(tenant)

    def _extensions(self) -> list[Finding]:
        found = []
        for name in EXTENSIONS:
            try:
                found.append(Finding(f"extension_{name}", True, Path(extension_path(name)).name, required=True))
            except AppError as error:
                found.append(Finding(f"extension_{name}", False, error.message, required=True))
        return found

    def _store(self, which: str, store: ObjectStore) -> list[Finding]:
        return [replace(finding, check=f"{which}_{finding.check}") for finding in probe(store)]

    def _catalog(self, tenant: str) -> list[Finding]:
        with TemporaryDirectory(prefix="teal-doctor-", dir=self.work_directory) as folder:
            catalog = self.catalog_of(tenant)
            try:
                copy = catalog.fetch(Path(folder))
                assert copy is not None  # noqa: S101 - fetch without `unless` never answers "unchanged"
            except NotFoundError:
                return [Finding("catalog", True, f"the lake of {tenant} was never written", required=True)]
            except AppError as error:
                if error.code != "catalog_lost":
                    raise
                return [Finding("catalog", False, error.message, required=True)]
            try:
                with self.session() as duck:
                    return self._opened(duck, tenant, catalog, copy)
            except AppError as error:
                # A damaged catalog makes DuckDB fail in many ways, and all of them mean the same here.
                cure = "Restore it with `teal doctor --restore-catalog`."
                return [Finding("catalog", False, f"it does not open ({error.code}). {cure}", required=True)]

    def _opened(self, duck: Duck, tenant: str, catalog: Catalog, copy: CatalogCopy) -> list[Finding]:
        duck.attach(copy.path, LAKE, catalog.data_uri, read_only=True)
        try:
            snapshot, tables = duck.execute(
                f"SELECT (SELECT max(snapshot_id) FROM {LAKE}.snapshots()), list(table_name) "
                f"FROM duckdb_tables() WHERE database_name = '{LAKE}'"
            )[0]
            files = files_of(duck, self.lake, tenant)
        finally:
            duck.detach(LAKE)
        # Listed after the catalog was read, so that a file of a newer commit cannot look missing.
        listing = listing_of(self.lake, tenant)
        gone = lacking(files, listing)
        absent = sorted({*built_in(), "uploads", "quality", "contracts", "order_totals"} - set(tables))
        kept = len(catalog.former())
        size = sum(file.size_bytes for file in files)
        some = "; ".join(said(file, listing) for file in gone[:MOST_SAID])
        return [
            Finding("catalog", True, f"snapshot {snapshot}, {copy.path.stat().st_size:,} bytes", required=True),
            Finding(
                "tables", not absent, f"missing: {', '.join(absent)}" if absent else f"{len(tables)}", required=True
            ),
            Finding(
                "files",
                not gone,
                f"{len(gone)} of {len(files)}: {some}"
                if gone
                else f"{len(files):,} files, {size:,} bytes, as recorded",
                required=True,
            ),
            Finding("former_catalogs", kept > 1, f"{kept} versions kept", required=False),
        ]
