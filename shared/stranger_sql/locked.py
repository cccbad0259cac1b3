"""A DuckDB of its own for one snapshot: it can read that snapshot's files, shows its datasets as views, and no more.

The rule: everything is opened first, then locked, then read back; what is not as it should be is not used.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from shared.duck import Duck, literal, open_duck, quoted
from shared.errors import EngineUnavailableError
from shared.sql.load import statement
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.functions import is_system_name
from shared.values import DuckAccess

LAKE = "lake"

Hidden = Mapping[str, Collection[str]]
"""Columns by dataset that come out empty."""


@dataclass(frozen=True)
class OpenLake:
    """What opens a snapshot: a catalog file that nobody else touches, where its data lies, and how that is reached.

    ``data_uri`` ends with a slash.
    """

    catalog: Path
    data_uri: str
    access: DuckAccess
    snapshot: int


@dataclass(frozen=True)
class Prepared:
    """SQL that was checked and made ready to run."""

    sql: str
    parameters: tuple[str, ...]
    tables: tuple[str, ...]
    repeatable: bool


@dataclass
class LockedDuck:
    """An open one, with the names of its datasets; ``spill`` is the one folder it may write to."""

    duck: Duck
    folder: Path
    spill: Path
    tables: frozenset[str]
    prepared: dict[str, Prepared] = field(default_factory=dict)

    def close(self) -> None:
        """Close it and delete what it spilled."""
        self.duck.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_locked(lake: OpenLake, hidden: Hidden, limits: SqlLimits) -> LockedDuck:
    """Open one. Raises EngineUnavailableError when it cannot be locked as it must be."""
    folder = Path(mkdtemp(prefix="teal-sql-"))
    try:
        spill = folder / "spill"
        spill.mkdir()
        duck = open_duck(
            memory_limit_mb=limits.memory_mb,
            threads=limits.threads,
            temp_directory=spill,
            max_temp_gb=limits.temp_mb / 1024,
        )
        duck.grant(lake.access, "lake_store")
        duck.attach(lake.catalog, LAKE, lake.data_uri, read_only=True, snapshot=lake.snapshot)
        tables, files = _shown(duck, hidden)
        if any(not file.startswith(lake.data_uri) or "/../" in file or "?" in file for file in files):
            raise EngineUnavailableError("A file of this lake is not where it must be.")
        _lock(duck, folder, lake.catalog, files)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return LockedDuck(duck, folder, spill, tables)


def _shown(duck: Duck, hidden: Hidden) -> tuple[frozenset[str], list[str]]:
    """Make a view of every dataset, with its hidden columns empty: their names, and the files they are read from."""
    tables, files = [], []
    # DuckLake's own tables have columns of places in the bucket, which a view has not.
    for (name,) in duck.execute(statement("lake/datasets"), {"alias": LAKE}):
        if is_system_name(name):
            continue
        columns = duck.columns(f"{LAKE}.main.{quoted(name)}")
        shown = ", ".join(
            f"NULL::{kind} AS {quoted(column)}" if column in hidden.get(name, ()) else quoted(column)
            for column, kind in columns.items()
        )
        duck.execute(f"CREATE VIEW memory.main.{quoted(name)} AS SELECT {shown} FROM {LAKE}.main.{quoted(name)}")
        for pair in duck.execute(f"SELECT data_file, delete_file FROM ducklake_list_files('{LAKE}', {literal(name)})"):
            files += [file for file in pair if file]
        tables.append(name)
    return frozenset(tables), files


def _lock(duck: Duck, folder: Path, catalog: Path, files: list[str]) -> None:
    settings: dict[str, Any] = {
        "max_expression_depth": 250,
        "pivot_limit": 1_000,
        "home_directory": str(folder),
        "allowed_directories": [],
        "allowed_paths": files,
        "disabled_filesystems": "HTTPFileSystem,HuggingFaceFileSystem",
        "enable_external_access": False,
        "lock_configuration": True,
    }
    for name, value in settings.items():
        told = f"[{', '.join(map(literal, value))}]" if isinstance(value, list) else literal(value)
        duck.execute(f"SET {name} = {told}")
    kept = {name: duck.value(f"SELECT current_setting('{name}')") for name in settings}
    # DuckDB adds what it needs itself: the attached catalog, and where it spills.
    own = {str(catalog) + end for end in ("", ".wal", ".wal.checkpoint", ".wal.recovery")}
    if (
        kept["enable_external_access"] is not False
        or kept["lock_configuration"] is not True
        or not set(files) <= set(kept["allowed_paths"]) <= own | set(files)
        or not set(kept["allowed_directories"]) <= {str(folder / "spill") + "/"}
    ):
        raise EngineUnavailableError("The engine could not be locked.")
