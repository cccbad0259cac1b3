"""What a lake's past still holds of erased persons, and the last of it: statistics and free room of the catalog.

The rule: an erasure is forgotten only once no snapshot shows the person and no file holds a row of it; until then it is
reported, and the tables that hold deleted rows are named, so that they are rewritten whatever their share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.packed import pack
from shared.catalog.writer import LAKE, Change
from shared.duck import Duck, literal
from shared.sql.load import statement
from shared.steps.merge import tables_with_rows
from shared.storage.base import ObjectInfo

_RAW = "raw_catalog"


@dataclass(frozen=True)
class Remains:
    """Of one erased person. ``files`` hold or held rows of it, ``scheduled`` ones wait for their deletion."""

    person: str
    upload_id: str
    gone_after: datetime
    forgotten_at: datetime | None
    older_snapshots: int
    files: int
    scheduled: int
    to_rewrite: tuple[str, ...]

    @property
    def can_be_forgotten(self) -> bool:
        """Nothing but the catalog itself may still know the person."""
        return self.forgotten_at is None and not self.older_snapshots and not self.files

    @property
    def is_gone(self) -> bool:
        """Nothing does."""
        return self.forgotten_at is not None and not self.scheduled

    @property
    def said(self) -> str:
        """A line for people."""
        left = (
            (self.older_snapshots, "older snapshot", "older snapshots"),
            (self.files, "file with deleted rows", "files with deleted rows"),
            (self.scheduled, "file to be deleted", "files to be deleted"),
        )
        what = ", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in left if n) or "the catalog"
        return f"erasure {self.upload_id}: {what}; due {self.gone_after:%Y-%m-%d}"


def remains_of(duck: Duck) -> list[Remains]:
    """Of every person that is not gone from the lake attached as ``lake``."""
    if "teal.erased" not in tables_with_rows(duck):
        return []
    result = duck.query(statement("tidy/remains"))
    rows = (dict(zip(result.columns, row, strict=True)) for row in result.rows)
    return [Remains(**{**row, "to_rewrite": tuple(row["to_rewrite"])}) for row in rows]


def mark(change: Change, column: str, persons: Sequence[str], now: datetime) -> None:
    """Write down since when persons are forgotten or gone."""
    change.duck.execute(
        f"UPDATE {LAKE}.teal.erased SET {column} = $now WHERE list_contains($persons, person)",
        {"now": now, "persons": list(persons)},
    )
    change.message = f"erasures: {len(persons)} {column.removesuffix('_at')}"


@dataclass(frozen=True)
class ForgettingCatalog:
    """The catalog as it is published without what it only remembers: statistics of former rows, and free room.

    For a commit that has flushed all rows into files.
    """

    catalog: Catalog
    duck: Duck

    @property
    def data_uri(self) -> str:
        """See Catalog.data_uri."""
        return self.catalog.data_uri

    def fetch(self, folder: Path, *, unless: str = "") -> CatalogCopy | None:
        """See Catalog.fetch."""
        return self.catalog.fetch(folder, unless=unless)

    def swap(self, path: Path, *, etag: str) -> str:
        """See Catalog.swap."""
        self.duck.execute(f"ATTACH {literal(str(path))} AS {_RAW} (TYPE duckdb)")
        try:
            self.duck.execute(statement("tidy/narrowed"))
        finally:
            self.duck.detach(_RAW)
        pack(self.duck, path, always=True)
        return self.catalog.swap(path, etag=etag)

    def former(self) -> Sequence[ObjectInfo]:
        """See Catalog.former."""
        return self.catalog.former()

    def fetch_former(self, folder: Path, version: str) -> CatalogCopy:
        """See Catalog.fetch_former."""
        return self.catalog.fetch_former(folder, version)
