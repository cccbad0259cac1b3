"""DuckDB, behind one door: the only module that imports duckdb; its exceptions stop here."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from shared.errors import AppError, EngineUnavailableError, InputError, LimitError, UnavailableError
from shared.values import DuckAccess

Parameters = Mapping[str, Any] | Sequence[Any] | None


class StatementError(AppError):
    """A statement of ours that DuckDB refuses: a defect here, never the caller's fault."""

    code = "internal"


class UnreadableInputError(InputError):
    """DuckDB could not read a file it was given; the message is DuckDB's first line."""

    code = "unreadable"


class OutOfMemoryError(LimitError):
    """The statement needs more memory or temporary disk than this session was given."""

    code = "out_of_memory"


@dataclass(frozen=True)
class Result:
    """Column names, their DuckDB types, and all rows."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def quoted(identifier: str) -> str:
    """An SQL identifier; every name that goes into a statement passes through here."""
    if "\0" in identifier:
        raise StatementError("an identifier may not hold a NUL")
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str | bool | int | float | None) -> str:
    """An SQL literal, for the few places where DuckDB takes no bound parameter (ATTACH, CREATE SECRET, SET)."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if "\0" in value:
        raise StatementError("a literal may not hold a NUL")
    return "'" + value.replace("'", "''") + "'"


@cache
def extension_path(name: str) -> str:
    """Where a packaged extension lies. Loaded by path: nothing is installed, nothing is downloaded."""
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for found in Path(folder).glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"):
            return str(found)
    raise EngineUnavailableError(f"The DuckDB extension {name} {duckdb.__version__} is not part of this package.")


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise OutOfMemoryError("This needs more memory than the session has.") from error
    except (duckdb.HTTPException, duckdb.FatalException, duckdb.InternalException) as error:
        raise EngineUnavailableError("The engine could not finish; asking again may help.") from error
    except duckdb.IOException as error:
        raise EngineUnavailableError("The engine could not read or write; asking again may help.") from error
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        raise UnreadableInputError(str(error).splitlines()[0][:300]) from error
    except duckdb.NotImplementedException as error:
        # What its reader says of a line longer than a whole buffer.
        if "CSV Reader" in str(error):
            raise UnreadableInputError(str(error).splitlines()[0][:300]) from error
        raise StatementError("A statement failed.") from error
    except duckdb.Error as error:
        raise StatementError("A statement failed.") from error
    except RuntimeError as error:
        # What DuckDB makes of Ctrl-C while a statement runs.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


class Duck:
    """One connection. Not for two threads at once; ``cursor()`` gives another one to the same instance."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._kept: dict[str, str] = {}

    def keep(self, table: str, made_of: str, sql: str, parameters: Parameters = None) -> None:
        """Make a temporary table of a SELECT, unless it is there and made of the same. Raises as ``execute``."""
        if self._kept.get(table) != made_of:
            self.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {sql}", parameters)
            self._kept[table] = made_of

    def execute(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises StatementError, EngineUnavailableError, OutOfMemoryError."""
        with _errors_translated():
            return self.connection.execute(sql, parameters).fetchall()

    def query(self, sql: str, parameters: Parameters = None) -> Result:
        """Run one SELECT and return rows with column names and types."""
        with _errors_translated():
            cursor = self.connection.execute(sql, parameters)
            described = cursor.description or []
            return Result(tuple(d[0] for d in described), tuple(str(d[1]) for d in described), cursor.fetchall())

    def relation(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        """The rows of one SELECT as an object with the Arrow C stream interface."""
        with _errors_translated():
            return self.connection.sql(sql, params=dict(parameters))

    def arrays(self, sql: str, parameters: Parameters = None) -> dict[str, Any]:
        """The columns of one SELECT as numpy arrays, decimals as floats; needs numpy, which most functions lack."""
        with _errors_translated():
            found: dict[str, Any] = self.connection.execute(sql, parameters).fetchnumpy()
            return found

    def table_of(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Make temporary table ``name`` of numpy arrays of one length."""
        with _errors_translated():
            self.connection.register("_arrays", dict(arrays))
            try:
                self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS FROM _arrays")
            finally:
                self.connection.unregister("_arrays")

    def value(self, sql: str, parameters: Parameters = None) -> Any:
        """The first column of the first row, or None."""
        rows = self.execute(sql, parameters)
        return rows[0][0] if rows else None

    def columns(self, table: str) -> dict[str, str]:
        """Column names and types of a table or view, in order. ``table`` is an SQL name, quoted where needed."""
        return {row[0]: row[1] for row in self.execute(f"DESCRIBE {table}")}

    def cursor(self) -> Duck:
        """Another connection to the same instance: own transaction, own search path, shared caches and attachments."""
        return Duck(self.connection.cursor())

    def grant(self, access: DuckAccess, name: str) -> None:
        """Create or renew the secret by which this instance reaches a store."""
        if access.kind:
            options = ", ".join(f"{key} {literal(value)}" for key, value in access.parameters.items())
            self.execute(
                f"CREATE OR REPLACE SECRET {quoted(name)} "
                f"(TYPE {access.kind}, {options}, SCOPE {literal(access.scope)})"
            )

    def attach(
        self,
        catalog: Path,
        alias: str,
        data_uri: str,
        *,
        read_only: bool,
        snapshot: int | None = None,
    ) -> None:
        """Attach the lake whose catalog is that local file, at a snapshot if one is named.

        ``data_uri`` ends with a slash. Inserted rows go into files unless an option of the lake says otherwise.
        """
        options = ["READ_ONLY"] if read_only else ["META_BLOCK_SIZE 16384", "DATA_INLINING_ROW_LIMIT 0"]
        options += [f"SNAPSHOT_VERSION {literal(snapshot)}"] if snapshot is not None else []
        options += [f"DATA_PATH {literal(data_uri)}", "OVERRIDE_DATA_PATH true"]
        self.execute(f"ATTACH {literal(f'ducklake:{catalog}')} AS {quoted(alias)} ({', '.join(options)})")

    def detach(self, alias: str) -> None:
        """Detach a lake; a written catalog is then complete in its file."""
        self.execute(f"DETACH {quoted(alias)}")

    def close(self) -> None:
        """Close this connection; the instance goes with its last one."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN … COMMIT; any exception rolls back and is raised."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            # The statement that failed may already have ended the transaction.
            try:
                self.connection.execute("ROLLBACK")
            except duckdb.Error:
                pass
            raise
        self.execute("COMMIT")


def open_duck(
    *,
    memory_limit_mb: int,
    threads: int,
    temp_directory: Path | None = None,
    max_temp_gb: float = 1.0,
    extensions: Sequence[str] = ("httpfs", "ducklake"),
) -> Duck:
    """A new instance in memory with our extensions loaded and downloads impossible.

    Raises EngineUnavailableError when an extension is missing.
    """
    directory = temp_directory or Path(tempfile.mkdtemp(prefix="teal-"))
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": f"{memory_limit_mb}MB",
        "temp_directory": str(directory),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        # Checking a signature takes longer than all else in a start. The packages are pinned by hash, the signatures
        # are checked when a function's package is built, and nothing else can be loaded: see below.
        "allow_unsigned_extensions": "true",
        "python_enable_replacements": "false",
        "preserve_insertion_order": "true",
    }
    with _errors_translated():
        duck = Duck(duckdb.connect(":memory:", config=config))
        for name in extensions:
            duck.execute(f"LOAD {literal(extension_path(name))}")
        # DuckDB refuses to turn it on again.
        duck.execute("SET allow_unsigned_extensions = false")
        # Among the settings that it is opened with, DuckDB 1.5.5 shows the bound and does not keep to it.
        duck.execute(f"SET max_temp_directory_size = '{int(max_temp_gb * 1024)}MiB'")
        duck.execute("SET TimeZone = 'UTC'")
        if "httpfs" in extensions:
            # Data files never change, so a HEAD per file to validate the cache is a request for nothing.
            duck.execute("SET validate_external_file_cache = 'NO_VALIDATION'")
    return duck


__all__ = [
    "Duck",
    "OutOfMemoryError",
    "Result",
    "StatementError",
    "UnavailableError",
    "UnreadableInputError",
    "extension_path",
    "literal",
    "open_duck",
    "quoted",
]
