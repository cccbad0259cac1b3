"""The first state of a lake: its own tables in schema `teal`, and one empty table per built-in contract in `main`."""

from __future__ import annotations

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


def create_lake(duck: Duck, catalog: Path, data_uri: str) -> None:
    """Write a catalog file with every built-in table, empty: snapshot 1 of any lake."""
    duck.attach(catalog, _NEW, data_uri, read_only=False)
    try:
        # The session may hold tables of an ingest, so the current database is put back.
        database, schema = duck.execute("SELECT current_database(), current_schema()")[0]
        duck.execute(f"USE {_NEW}")
        try:
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
            duck.execute(f"USE {quoted(database)}.{quoted(schema)}")
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
