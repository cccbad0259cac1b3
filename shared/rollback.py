"""Rolls a lake back: a new snapshot equal to an old one, made by difference; nothing is erased.

The rule: only rows that differ are written, and before anything is written the result is proved equal to the old
snapshot by row counts and hash sums. What happened stays recorded: the ledger and the quality reports keep their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.catalog.schema import create_table, needed_columns
from shared.catalog.writer import LAKE, Change, Committed, LakeWriter, NothingToCommit
from shared.datasets.contract import Contract
from shared.datasets.registry import built_in
from shared.duck import Duck, literal, quoted
from shared.errors import SnapshotNotFoundError
from shared.sql.load import statement
from shared.steps import ledger

KEPT = frozenset(("teal", name) for name in ("uploads", "quality", "contracts", "erased", "usage", "usage_folds"))
"""Tables that are not set back: the ledger and the contracts are brought forward instead, see below."""


def roll_back(writer: LakeWriter, snapshot: int, *, author: str, duck: Duck | None = None) -> Committed[int]:
    """Make every table what it was at ``snapshot``, in one commit; returns the number of tables that differed.

    Tables and columns that came since go (older snapshots still show them; built-in tables are emptied instead),
    those that went come back. In the ledger, uploads loaded since become ``rolled_back``: their events stay done, and
    the same bytes may be uploaded again. Contracts of then become the newest versions. Raises SnapshotNotFoundError.
    """

    def change(change: Change) -> int:
        if snapshot == int(change.duck.value(f"FROM {LAKE}.current_snapshot()")):
            raise NothingToCommit(0)
        return set_back(change, snapshot, author=author)

    return writer.commit(author, change, duck=duck)


def set_back(change: Change, snapshot: int, *, author: str) -> int:
    """What ``roll_back`` does, inside a commit that does more than that."""
    duck = change.duck
    newest = int(duck.value(f"FROM {LAKE}.current_snapshot()"))
    if not duck.value(statement("rollback/exists"), {"snapshot": snapshot}):
        raise SnapshotNotFoundError(f"There is no snapshot {snapshot}; it may have expired.", snapshot=snapshot)
    change.message = f"rollback to snapshot {snapshot}"
    if snapshot == newest:
        return 0
    now, then = _tables(duck, newest), _tables(duck, snapshot)
    contracts = _contracts_at(duck, snapshot)
    differed, lacked = 0, _lacked(duck, snapshot, then)
    for name in sorted(now.keys() | then.keys()):
        if name in KEPT:
            continue
        if name not in then:
            differed += _undo_table(change, *name)
        elif name not in now:
            differed += _redo_table(change, *name, snapshot, contracts)
        else:
            span = (snapshot + 1, newest) if now[name] == then[name] else None
            differed += _restore(change, *name, snapshot, span)
    if lacked:
        change.renew(change, lacked)
    duck.execute(statement("rollback/ledger"), {"snapshot": snapshot})
    _bring_contracts_forward(duck, contracts, author)
    return differed


# --- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """What two equal sets of rows agree in; differences of sets are differences of sums."""

    rows: int
    hashes: int


def _tables(duck: Duck, snapshot: int) -> dict[tuple[str, str], int]:
    """DuckLake's id of every table of a snapshot, by schema and name; made anew under its name it has another id."""
    rows = duck.execute(statement("rollback/tables"), {"snapshot": snapshot})
    return {(schema, table): number for schema, table, number in rows}


def _lacked(duck: Duck, snapshot: int, then: dict[tuple[str, str], int]) -> frozenset[str]:
    """Tables that a snapshot of an earlier version of the code did not have, or not with all columns of today."""

    def columns(table: str) -> set[str]:
        if tuple(table.split(".")) not in then:
            return set()
        return {row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM {LAKE}.{table} AT (VERSION => {snapshot})")}

    return frozenset(table for table, needed in needed_columns().items() if needed.keys() - columns(table))


def _restore(change: Change, schema: str, table: str, snapshot: int, span: tuple[int, int] | None) -> bool:
    """Set one table back; equal rows stay where they are. ``span`` says where its changes are, None: anywhere."""
    duck, name = change.duck, _name(schema, table)
    at = f"{name} AT (VERSION => {int(snapshot)})"
    now, then = duck.columns(name), {row[0]: row[1] for row in duck.execute(f"DESCRIBE SELECT * FROM {at}")}
    # A column every lake has stays, empty, although the table had none of it yet.
    standard = built_in()[table] if schema == "main" and table in built_in() else None
    wanted = then | {c: kind for c, kind in now.items() if schema == "teal" or (standard and standard.column(c))}
    # Everything is read before the first write, so the order of the statements below does not matter to DuckLake.
    after, before = (
        f"SELECT rowid AS _place, {', '.join(_or_null(c, kind, there) for c, kind in wanted.items())} FROM {source}"
        for source, there in ((name, now), (at, then))
    )
    candidates = _changed_places(duck, schema, table, span)
    if candidates == 0 and now == wanted:
        return False
    _compare(duck, before, after, only_changed=candidates is not None)
    if candidates is not None and not _would_be_equal(duck, before, after, wanted):
        # The change feed missed something; slower and sure.
        _compare(duck, before, after, only_changed=False)
    for column in now.keys() - wanted.keys():
        duck.execute(f"ALTER TABLE {name} DROP COLUMN {quoted(column)}")
    for column in wanted.keys() - now.keys():
        duck.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column)} {wanted[column]}")
    removed = duck.execute(f"DELETE FROM {name} WHERE rowid IN (SELECT _place FROM temp.rollback_came)")[0][0]
    added = duck.execute(f"INSERT INTO {name} BY NAME SELECT * EXCLUDE _place FROM temp.rollback_gone")[0][0]
    change.touched(_label(schema, table), added=added, removed=removed)
    return bool(added or removed or now != wanted)


def _or_null(column: str, kind: str, there: dict[str, str]) -> str:
    return quoted(column) if column in there else f"NULL::{kind} AS {quoted(column)}"


def _changed_places(duck: Duck, schema: str, table: str, span: tuple[int, int] | None) -> int | None:
    """Collect the row ids that the snapshots of the span touched; None when that cannot be known."""
    if span is None:
        return None
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE rollback_places AS SELECT DISTINCT rowid AS _place "
        f"FROM ducklake_table_changes('{LAKE}', $schema, $table, $start, $end)",
        {"schema": schema, "table": table, "start": span[0], "end": span[1]},
    )
    return int(duck.value("SELECT count(*) FROM temp.rollback_places"))


def _compare(duck: Duck, before: str, after: str, *, only_changed: bool) -> None:
    """Rows that came since and rows that are gone since, each with its place."""
    touched = " WHERE rowid IN (SELECT _place FROM temp.rollback_places)" if only_changed else ""
    for word, one, other in (("came", after, before), ("gone", before, after)):
        duck.execute(f"CREATE OR REPLACE TEMP TABLE rollback_{word} AS ({one}{touched}) EXCEPT ALL ({other}{touched})")


def _would_be_equal(duck: Duck, before: str, after: str, columns: dict[str, str]) -> bool:
    then, now = _sums(duck, f"({before})", columns), _sums(duck, f"({after})", columns)
    gone, came = _sums(duck, "temp.rollback_gone", columns), _sums(duck, "temp.rollback_came", columns)
    result = _Sums(now.rows - came.rows + gone.rows, now.hashes - came.hashes + gone.hashes)
    return result == then


def _sums(duck: Duck, source: str, columns: dict[str, str]) -> _Sums:
    values = ", ".join(map(quoted, columns))
    # 64-bit hashes add up in a HUGEINT without overflow.
    rows, hashes = duck.execute(f"SELECT count(*), coalesce(sum(hash({values})::HUGEINT), 0) FROM {source}")[0]
    return _Sums(rows, hashes)


def _undo_table(change: Change, schema: str, table: str) -> bool:
    """A table that came since: dropped, or only emptied when every lake has it."""
    name = _name(schema, table)
    rows = int(change.duck.value(f"SELECT count(*) FROM {name}"))
    if schema == "main" and table not in built_in():
        change.duck.execute(f"DROP TABLE {name}")
    else:
        change.duck.execute(f"DELETE FROM {name}")
    change.touched(_label(schema, table), removed=rows)
    return True


def _redo_table(
    change: Change, schema: str, table: str, snapshot: int, contracts: dict[str, tuple[Contract, ...]]
) -> bool:
    """A table that went since comes back with its rows."""
    duck, name = change.duck, _name(schema, table)
    # Read first: once the name is taken in this transaction, the old table hides behind the new one.
    duck.execute(f"CREATE OR REPLACE TEMP TABLE rollback_gone AS SELECT * FROM {name} AT (VERSION => {int(snapshot)})")
    if schema == "main" and table in contracts:
        create_table(duck, LAKE, contracts[table][-1])
        for column, kind in duck.columns("temp.rollback_gone").items():
            if contracts[table][-1].column(column) is None:
                duck.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column)} {kind}")
        duck.execute(f"INSERT INTO {name} BY NAME FROM temp.rollback_gone")
    else:
        duck.execute(f"CREATE TABLE {name} AS FROM temp.rollback_gone")
    change.touched(_label(schema, table), added=int(duck.value("SELECT count(*) FROM temp.rollback_gone")))
    return True


def _name(schema: str, table: str) -> str:
    return f"{LAKE}.{quoted(schema)}.{quoted(table)}"


def _label(schema: str, table: str) -> str:
    return table if schema == "main" else f"{schema}.{table}"


# --- contracts -------------------------------------------------------------------------------------------------------


def _contracts_at(duck: Duck, snapshot: int) -> dict[str, tuple[Contract, ...]]:
    found: dict[str, list[Contract]] = {}
    rows = duck.execute(
        f"SELECT name, body FROM {LAKE}.teal.contracts AT (VERSION => {literal(int(snapshot))}) ORDER BY name, version"
    )
    for name, body in rows:
        found.setdefault(name, []).append(Contract.model_validate_json(body))
    return {name: tuple(versions) for name, versions in found.items()}


def _bring_contracts_forward(duck: Duck, then: dict[str, tuple[Contract, ...]], author: str) -> None:
    """What counted then counts again, under a new version; datasets that did not exist then are forgotten."""
    now = ledger.contracts(duck)
    for name in sorted(now.keys() | then.keys()):
        wanted = then[name][-1] if name in then else built_in().get(name)
        if wanted is None:
            duck.execute(f"DELETE FROM {LAKE}.teal.contracts WHERE name = $name", {"name": name})
        elif name not in now:
            for version in then[name]:
                ledger.record_contract(duck, version, author=author)
        elif now[name][-1].model_copy(update={"version": wanted.version}) != wanted:
            newer = wanted.model_copy(update={"version": now[name][-1].version + 1})
            ledger.record_contract(duck, newer, author=author)
