"""A DuckDB of its own for one snapshot: it can read that snapshot's files, shows its datasets as views, and no more.

The rule: everything is opened first, then locked, then read back; what is not as it should be is not used.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from shared.catalog.views import Shown, selects
from shared.cells.lock import lock
from shared.duck import Duck, literal, open_duck, quoted
from shared.errors import EngineUnavailableError
from shared.sql.load import statement
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.functions import is_system_name
from shared.values import DuckAccess

LAKE = "lake"

SETTINGS = {"max_expression_depth": 250, "pivot_limit": 1_000}
"""Of every engine that meets a stranger's SQL: what nobody needs more of."""


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
    """An open one, with the names of its datasets; ``spill`` is the one folder it may write to.

    It ``hides_rows`` where rules let it show a part of them.
    """

    duck: Duck
    folder: Path
    spill: Path
    tables: frozenset[str]
    hides_rows: bool = False
    prepared: dict[str, Prepared] = field(default_factory=dict)

    def close(self) -> None:
        """Close it and delete what it spilled."""
        self.duck.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_locked(lake: OpenLake, shown: Shown, limits: SqlLimits) -> LockedDuck:
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
        tables, files = _shown(duck, shown)
        # So that an error tells its place; for all connections, unlike what is set below.
        duck.execute("SET GLOBAL errors_as_json = true")
        if any(not file.startswith(lake.data_uri) or "/../" in file or "?" in file for file in files):
            raise EngineUnavailableError("A file of this lake is not where it must be.")
        lock(
            duck,
            home=folder,
            files=files,
            own_files=[f"{lake.catalog}{end}" for end in ("", ".wal", ".wal.checkpoint", ".wal.recovery")],
            own_folders=[f"{spill}/"],
            settings=SETTINGS,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return LockedDuck(duck, folder, spill, tables, hides_rows=bool(shown.rules.rows))


def _shown(duck: Duck, shown: Shown) -> tuple[frozenset[str], list[str]]:
    """Make a view of what every dataset shows: their names, and the files they are read from."""
    # DuckLake's own tables have columns of places in the bucket, which a view has not.
    found = [name for (name,) in duck.execute(statement("lake/datasets"), {"alias": LAKE}) if not is_system_name(name)]
    types = {name: duck.columns(f"{LAKE}.main.{quoted(name)}") for name in found}
    files: list[str] = []
    for name, select in selects(types, shown, f"{LAKE}.main", fenced=True).items():
        duck.execute(f"CREATE VIEW memory.main.{quoted(name)} AS {select}")
        for pair in duck.execute(f"SELECT data_file, delete_file FROM ducklake_list_files('{LAKE}', {literal(name)})"):
            files += [file for file in pair if file]
    return frozenset(found), files
