"""A DuckDB of its own for one snapshot: it can read that snapshot's files, shows its datasets as views, and no more.

The rule: everything is opened first, then locked, then read back; what is not as it should be is not used.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from shared.catalog.reader import PinnedLake
from shared.catalog.stored import lake_prefix
from shared.duck import Duck, literal, open_duck, quoted
from shared.errors import EngineUnavailableError
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.functions import is_system_name

LAKE = "lake"


@dataclass
class LockedDuck:
    """An open one; ``prepared`` remembers what was made ready to run, ``expires_at`` is when its credential ends.

    ``spill`` is the one folder it may write to.
    """

    duck: Duck
    folder: Path
    spill: Path
    expires_at: datetime | None
    prepared: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Close it and delete what it spilled."""
        self.duck.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_locked(
    store: ObjectStore, tenant: str, lake: PinnedLake, hidden: Mapping[str, frozenset[str]], limits: SqlLimits
) -> LockedDuck:
    """Open one for a tenant's snapshot. Raises EngineUnavailableError when it cannot be locked as it must be."""
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
        # Its own copy, since the reader deletes the one it has when a newer catalog comes.
        catalog = folder / "catalog.ducklake"
        shutil.copyfile(str(lake.duck.value(statement("lake/place"), {"alias": lake.alias})), catalog)
        prefix = store.uri_of(lake_prefix(tenant))
        access = replace(store.duck_access(), scope=prefix)
        duck.grant(access, "lake_store")
        duck.attach(catalog, LAKE, prefix + "data/", read_only=True, snapshot=lake.snapshot_id)
        files = _show(duck, hidden)
        if any(not file.startswith(prefix + "data/") or "/../" in file or "?" in file for file in files):
            raise EngineUnavailableError("A file of this lake is not where it must be.")
        _lock(duck, folder, files)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return LockedDuck(duck, folder, spill, access.expires_at)


def _show(duck: Duck, hidden: Mapping[str, frozenset[str]]) -> list[str]:
    """Make a view of every dataset, with its hidden columns empty, and return the files they are read from."""
    files: list[str] = []
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
    return files


def _lock(duck: Duck, folder: Path, files: list[str]) -> None:
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
    own = {str(folder / "catalog.ducklake") + end for end in ("", ".wal", ".wal.checkpoint", ".wal.recovery")}
    if (
        kept["enable_external_access"] is not False
        or kept["lock_configuration"] is not True
        or not set(files) <= set(kept["allowed_paths"]) <= own | set(files)
        or not set(kept["allowed_directories"]) <= {str(folder / "spill") + "/"}
    ):
        raise EngineUnavailableError("The engine could not be locked.")
