"""What every lake holds: its own tables in schema `teal`, and one table per built-in contract in `main`.

The rule: a lake says by its tables what it has, not by a number. Whatever a newer version of the code needs beside that
is added by the first writer that sees it lacking; nothing is ever taken away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from shared.datasets.contract import Contract
from shared.datasets.registry import built_in
from shared.duck import Duck, quoted
from shared.sql.load import names, statement

_NEW = "new_lake"

INLINED_ROWS = 200
"""Commits of at most this many rows of the lake's own tables go into the catalog itself, until they are tidied."""

TARGET_FILE_SIZE = "128MiB"
"""What merges aim at: few requests for a scan, and a file still fits a function's memory while it is merged."""

_COLUMN = re.compile(r"^    (\w+) +([A-Z][A-Z0-9_]*(?:\([0-9, ]+\))?(?:\[\])?)", re.MULTILINE)
"""A line of a statement in sql/schema: a column and its type."""

Columns = Mapping[str, str]
"""The SQL type of each column."""


def create_lake(duck: Duck, catalog: Path, data_uri: str) -> None:
    """Write a catalog file with every built-in table, empty: snapshot 1 of any lake."""
    duck.attach(catalog, _NEW, data_uri, read_only=False)
    try:
        with _using(duck, _NEW):
            with duck.transaction():
                duck.execute("CREATE SCHEMA teal")
                for name in names("schema/"):
                    duck.execute(statement(name))
                for contract in built_in().values():
                    create_table(duck, _NEW, contract)
                duck.execute(f"CALL {_NEW}.set_commit_message('teal', 'new lake')")
            duck.execute(f"CALL {_NEW}.set_option('target_file_size', '{TARGET_FILE_SIZE}')")
            # Rows of datasets always go into files: with new columns, DuckLake 1.0 loses values of inlined rows.
            duck.execute(f"CALL {_NEW}.set_option('data_inlining_row_limit', {INLINED_ROWS}, schema => 'teal')")
    finally:
        duck.detach(_NEW)


def create_table(duck: Duck, alias: str, contract: Contract) -> None:
    """Create the table of a contract, with its partitions and sort order. Runs inside the caller's transaction."""
    table = f"{quoted(alias)}.main.{quoted(contract.name)}"
    columns = ", ".join(f"{quoted(column.name)} {column.sql_type}" for column in contract.columns)
    duck.execute(f"CREATE TABLE {table} ({columns})")
    if contract.partition:
        duck.execute(f"ALTER TABLE {table} SET PARTITIONED BY ({', '.join(contract.partition)})")
    if contract.sort:
        duck.execute(f"ALTER TABLE {table} SET SORTED BY ({', '.join(quoted(name) for name in contract.sort)})")


def lacking(duck: Duck, alias: str) -> dict[str, frozenset[str]]:
    """The tables, as `schema.table`, that an attached lake lacks, with all their columns, or those that lack some."""
    found: dict[str, set[str]] = {}
    for table, column in duck.execute(statement("lake/columns").replace("{lake}", alias)):
        found.setdefault(table, set()).add(column)
    return {
        table: missing
        for table, columns in needed_columns().items()
        if (missing := frozenset(columns.keys() - found.get(table, set())))
    }


def bring_up_to_date(duck: Duck, alias: str, missing: Mapping[str, frozenset[str]]) -> None:
    """Add what is ``lacking``; runs inside the caller's transaction. Added columns are empty in the rows there are."""
    needed = needed_columns()
    with _using(duck, alias):
        for table, columns in missing.items():
            schema, _, name = table.partition(".")
            if columns != needed[table].keys():
                for column in sorted(columns):
                    where = f"{quoted(alias)}.{quoted(schema)}.{quoted(name)}"
                    duck.execute(f"ALTER TABLE {where} ADD COLUMN {quoted(column)} {needed[table][column]}")
            elif schema == "main":
                create_table(duck, alias, built_in()[name])
            else:
                duck.execute(statement(f"schema/{name}"))


@cache
def own_columns() -> Mapping[str, Columns]:
    """The columns of our own tables, named as `schema.table`, as their statements in sql/schema write them."""
    return {f"teal.{name.removeprefix('schema/')}": dict(_COLUMN.findall(statement(name))) for name in names("schema/")}


@cache
def needed_columns() -> Mapping[str, Columns]:
    """The columns of every table this version of the code needs: our own, and those of the built-in contracts."""
    contracts = {
        f"main.{contract.name}": {column.name: column.sql_type for column in contract.columns}
        for contract in built_in().values()
    }
    return {**own_columns(), **contracts}


@contextmanager
def _using(duck: Duck, alias: str) -> Iterator[None]:
    """Names resolve to ``alias``; the session may hold tables of an ingest, so the current database is put back."""
    database, schema = duck.execute("SELECT current_database(), current_schema()")[0]
    duck.execute(f"USE {quoted(alias)}")
    try:
        yield
    finally:
        duck.execute(f"USE {quoted(database)}.{quoted(schema)}")
