"""The catalog as maintenance commits to it: what DuckLake 1.0 gets wrong while it rewrites files is put right here.

Two faults, both seen with DuckLake 1.0 on DuckDB 1.5.5 and both silent. A rewrite narrows the table's statistics to
the rows that are left, and older snapshots are then read with them: their answers become wrong. Deletions that are
still inside the catalog when their file is rewritten come apart from it: once flushed, older snapshots hold rows
twice. So statistics never narrow, and everything is flushed before a rewrite, in the same swap. Files are scheduled
by the store's clock, the one their ages are measured with, and a catalog that is mostly free room is packed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.packed import pack
from shared.catalog.writer import LAKE
from shared.duck import Duck, literal
from shared.sql.load import statement
from shared.storage.base import ObjectInfo

AUTHOR = "tidy"
_RAW = "raw_catalog"
_KEPT = ("min_value", "max_value", "contains_null", "contains_nan", "extra_stats")


@dataclass(frozen=True)
class CarefulCatalog:
    """A catalog for commits that change where rows lie, not what they are; ``duck`` is the session they run in."""

    catalog: Catalog
    duck: Duck
    clock: Callable[[], datetime]
    flush_first: bool = False

    @property
    def data_uri(self) -> str:
        """See Catalog.data_uri."""
        return self.catalog.data_uri

    def fetch(self, folder: Path, *, unless: str = "") -> CatalogCopy | None:
        """See Catalog.fetch; the copy's statistics are remembered, and its inlined rows flushed when asked for."""
        copy = self.catalog.fetch(folder, unless=unless)
        if copy is not None:
            self._remember(copy.path)
            if self.flush_first:
                self._flush(copy.path)
        return copy

    def swap(self, path: Path, *, etag: str) -> str:
        """See Catalog.swap; the statistics of before are put back first, and free room goes. A new lake has neither."""
        if etag:
            self._put_right(path)
            pack(self.duck, path)
        return self.catalog.swap(path, etag=etag)

    def former(self) -> Sequence[ObjectInfo]:
        """See Catalog.former."""
        return self.catalog.former()

    def fetch_former(self, folder: Path, version: str) -> CatalogCopy:
        """See Catalog.fetch_former."""
        return self.catalog.fetch_former(folder, version)

    def _remember(self, path: Path) -> None:
        self.duck.execute(f"ATTACH {literal(str(path))} AS {_RAW} (TYPE duckdb, READ_ONLY)")
        try:
            for table in ("table_column_stats", "table_stats", "files_scheduled_for_deletion"):
                self.duck.execute(f"CREATE OR REPLACE TEMP TABLE former_{table} AS FROM {_RAW}.ducklake_{table}")
        finally:
            self.duck.detach(_RAW)

    def _flush(self, path: Path) -> None:
        # A transaction of its own: DuckLake refuses to rewrite files in the one that flushed their deletions.
        self.duck.attach(path, LAKE, self.data_uri, read_only=False)
        try:
            with self.duck.transaction():
                if self.duck.execute(statement("tidy/flush")):
                    self.duck.execute(f"CALL {LAKE}.set_commit_message('{AUTHOR}', 'flush before a rewrite')")
        finally:
            self.duck.detach(LAKE)

    def _put_right(self, path: Path) -> None:
        columns = ", ".join(f"{name} = former.{name}" for name in _KEPT)
        self.duck.execute(f"ATTACH {literal(str(path))} AS {_RAW} (TYPE duckdb)")
        try:
            self.duck.execute(
                f"UPDATE {_RAW}.ducklake_table_column_stats AS stats SET {columns} "
                "FROM temp.former_table_column_stats AS former "
                "WHERE stats.table_id = former.table_id AND stats.column_id = former.column_id"
            )
            # Equal counts tell DuckLake that statistics are exact; after deletions they are not, and min() would lie.
            self.duck.execute(
                f"UPDATE {_RAW}.ducklake_table_stats AS stats "
                "SET record_count = greatest(stats.record_count, former.record_count) "
                "FROM temp.former_table_stats AS former WHERE stats.table_id = former.table_id"
            )
            self.duck.execute(
                f"UPDATE {_RAW}.ducklake_files_scheduled_for_deletion SET schedule_start = $now "
                "WHERE data_file_id NOT IN (SELECT data_file_id FROM temp.former_files_scheduled_for_deletion)",
                {"now": self.clock()},
            )
        finally:
            self.duck.detach(_RAW)
