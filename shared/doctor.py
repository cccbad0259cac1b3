"""Looks a lake over: the store's promises, the extensions, the catalog, and every data file; finds, does not change."""

from __future__ import annotations

from dataclasses import dataclass

from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.duck import extension_path
from shared.errors import AppError, InputError, ObjectNotFoundError
from shared.storage.base import ObjectStore
from shared.storage.probe import Finding, probe
from shared.tidy import Tidy


@dataclass(frozen=True)
class Doctor:
    """Examines an installation; ``restore_catalog`` is its one remedy."""

    lake: ObjectStore
    tidy: Tidy

    def examine(self) -> list[Finding]:
        """All findings, good and bad."""
        found = list(probe(self.lake))
        for name in ("httpfs", "ducklake"):
            try:
                extension_path(name)
                found.append(Finding(f"extension {name}", True, "is part of this installation"))
            except AppError as error:
                found.append(Finding(f"extension {name}", False, error.message))
        for tenant in self.tidy.tenants():
            try:
                problems = self.tidy.verify(tenant)
            except AppError as error:
                problems = [error.message]
            detail = "; ".join(problems[:5]) or "every data file of the newest snapshot is there with its recorded size"
            found.append(Finding(f"lake {tenant}", not problems, detail))
        return found


def restore_catalog(lake: ObjectStore, tenant: str, writer: LakeWriter, tidy: Tidy) -> str:
    """Put back the newest kept version of a lost catalog that opens and whose files are all there; returns which.

    Uploads that came after that version are not in it: their files still lie in the inbox and can be replayed. Raises
    InputError when the catalog is there, ObjectNotFoundError when no version is good.
    """
    catalog = StoredCatalog(lake, tenant)
    try:
        lake.head(catalog.key)
    except ObjectNotFoundError:
        pass
    else:
        raise InputError("This lake has a catalog; roll back instead of restoring.")
    for version in catalog.former():
        body, _ = lake.get(catalog.key, version=version.version)
        info = lake.put_if_match(catalog.key, body, etag="")
        try:
            problems = tidy.verify(tenant)
        except AppError as error:
            problems = [error.message]
        if not problems:
            return f"version {version.version} of {version.modified_at:%Y-%m-%d %H:%M:%S}"
        lake.delete(info.key)
    raise ObjectNotFoundError("No kept version of the catalog opens with all its files.")
