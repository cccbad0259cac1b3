"""Rolls a lake back: a new snapshot equal to an old one, made by difference; nothing is erased."""

from __future__ import annotations

from shared.catalog.writer import LAKE, Change, Committed, LakeWriter
from shared.duck import Duck, quoted
from shared.errors import SnapshotNotFoundError

LEDGERS = frozenset({"uploads", "quality"})
"""What happened stays recorded: these keep their rows."""


def roll_back(writer: LakeWriter, snapshot: int, *, author: str, duck: Duck | None = None) -> Committed[int]:
    """Make every table what it was at ``snapshot``, in one commit; returns the number of tables that differed.

    Uploads of the time since become ``rolled_back`` in the ledger: their events stay done, and the same bytes may be
    uploaded again. Datasets that came since are emptied. Raises SnapshotNotFoundError.
    """

    def change(change: Change) -> int:
        duck = change.duck
        there = duck.value(
            f"SELECT count(*) FROM {LAKE}.snapshots() WHERE snapshot_id = $snapshot AND snapshot_id > 0",
            {"snapshot": snapshot},
        )
        if not there:
            raise SnapshotNotFoundError(f"There is no snapshot {snapshot}; it may have expired.")
        tables = duck.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() "
            f"WHERE database_name = '{LAKE}' AND schema_name IN ('main', 'teal') ORDER BY ALL"
        )
        differed = sum(
            _restore(change, schema, table, snapshot)
            for schema, table in tables
            if not (schema == "teal" and table in LEDGERS)
        )
        duck.execute(
            f"UPDATE {LAKE}.teal.uploads SET status = 'rolled_back' WHERE status = 'loaded' AND committed_at > "
            f"(SELECT snapshot_time FROM {LAKE}.snapshots() WHERE snapshot_id = $snapshot)",
            {"snapshot": snapshot},
        )
        change.message = f"rollback to snapshot {snapshot}"
        return differed

    return writer.commit(author, change, duck=duck)


def _restore(change: Change, schema: str, table: str, snapshot: int) -> bool:
    """Take away the rows that are new and bring back those that are gone; equal rows stay where they are."""
    duck, name = change.duck, f"{LAKE}.{schema}.{quoted(table)}"
    now = {row[0] for row in duck.execute(f"DESCRIBE {name}")}
    try:
        then = [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM {name} AT (VERSION => {int(snapshot)})")]
    except Exception:  # noqa: BLE001 - the table did not exist yet
        then = []
    if not then:
        removed = duck.execute(f"DELETE FROM {name}")[0][0]
        change.touched(table, removed=removed)
        return bool(removed)
    columns = ", ".join(quoted(column) for column in then if column in now)
    new_columns = [quoted(column) for column in sorted(now - set(then))]
    before, after = f"SELECT {columns} FROM {name} AT (VERSION => {int(snapshot)})", f"SELECT {columns} FROM {name}"
    duck.execute(f"CREATE OR REPLACE TEMP TABLE gone AS ({before}) EXCEPT ALL ({after})")
    duck.execute(f"CREATE OR REPLACE TEMP TABLE came AS ({after}) EXCEPT ALL ({before})")
    widened = " OR ".join(f"{column} IS NOT NULL" for column in new_columns)
    if widened:
        duck.execute(f"UPDATE {name} SET {', '.join(f'{column} = NULL' for column in new_columns)} WHERE {widened}")
    removed = duck.value("SELECT count(*) FROM came")
    if removed:
        same = " AND ".join(f"kept.{quoted(c)} IS NOT DISTINCT FROM came.{quoted(c)}" for c in then if c in now)
        duck.execute(f"DELETE FROM {name} AS kept USING came WHERE {same}")
        # Of equal rows, some of which stay, all were just deleted: bring back as many as there were.
        duck.execute(
            f"INSERT INTO gone BY NAME (({before}) INTERSECT (SELECT * FROM came)) EXCEPT (SELECT * FROM gone)"
        )
    duck.execute(f"INSERT INTO {name} BY NAME FROM gone")
    added = duck.value("SELECT count(*) FROM gone")
    change.touched(table, added=added, removed=removed)
    return bool(added or removed)
