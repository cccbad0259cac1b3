"""Third step of an ingest: staged rows become the lake's rows, inside the transaction of one commit.

The rule: a row replaces the one with its key unless that one is newer; what changes nothing counts as a duplicate. Rows
that meet no existing key are added as a Parquet file that was written once, before: another attempt writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.catalog.writer import LAKE, Change
from shared.datasets.contract import Column, Contract
from shared.duck import Duck, quoted
from shared.sql.load import statement
from shared.steps.judge import Staged

FileWriter = Callable[[Staged, str], str]
"""Puts a data file of a dataset into the lake and returns its uri: the staged file, or the rows of a SELECT."""


@dataclass
class FileOnce:
    """Puts a dataset's Parquet file into the lake at the first attempt and hands out the same one at the next ones."""

    write: FileWriter
    written: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __call__(self, staged: Staged, select: str) -> str:
        """The uri of the file with these rows; the SELECT must be the same at every attempt."""
        dataset = staged.contract.name
        if dataset not in self.written:
            self.written[dataset] = self.write(staged, select)
        self.used.add(dataset)
        return self.written[dataset]

    def start_attempt(self) -> None:
        """Forget which files the last attempt used; it is not the one that counts."""
        self.used.clear()

    def unused(self) -> list[str]:
        """Files that were written for an earlier attempt and are not part of the commit."""
        return [uri for dataset, uri in self.written.items() if dataset not in self.used]


@dataclass(frozen=True)
class Plan:
    """What a merge will do with the staged rows of one dataset, against the lake as this attempt sees it.

    Temporary tables hold it: ``fresh_<dataset>`` (rows to add), ``removed_<dataset>`` (keys to take away) and
    ``buried_<dataset>`` (keys deleted at a known time). ``unchanged`` rows of the file change nothing.
    """

    staged: Staged
    added: int
    removed: int
    buried: int
    unchanged: int

    @property
    def only_adds(self) -> bool:
        """Every accepted row goes in as it is, so the file written before the transaction is the right one."""
        return self.added == self.staged.accepted and not self.removed and not self.buried


def plan_merge(duck: Duck, staged: Staged) -> Plan:
    """Compare the accepted rows with the lake; reads only."""
    contract, name = staged.contract, staged.contract.name
    key = ", ".join(quoted(column) for column in contract.key)
    good = f"(FROM {staged.table} WHERE _held IS NULL AND NOT _duplicate)"
    first = quoted(contract.key[0])
    filled = tables_with_rows(duck)
    low, high = staged.range_of(contract.key[0]) or duck.execute(f"SELECT min({first}), max({first}) FROM {good}")[0]
    # By constants the catalog leaves out whole files: an upload of later keys costs the same however large the lake is.
    near = f"(FROM {lake_table(name)} WHERE {first} BETWEEN $low AND $high)"
    values = {"low": low, "high": high}
    met = f"main.{name}" in filled and duck.value(f"SELECT EXISTS {near}", values)
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE {quoted('existing_' + name)} AS FROM {near} AS kept "
        + (f"SEMI JOIN {good} AS staged USING ({key})" if met else "LIMIT 0"),
        values,
    )
    columns = ", ".join(quoted(column.name) for column in contract.columns)
    if (
        not staged.deletes
        and not (met and duck.value(f"SELECT count(*) FROM {temp('existing', name)}"))
        and not ("teal.tombstones" in filled and _graves(duck, name))
    ):
        # The usual upload: nothing it brings was there before.
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {quoted('fresh_' + name)} AS SELECT {columns} FROM {good}")
        for word in ("removed", "buried"):
            duck.execute(
                f"CREATE OR REPLACE TEMP TABLE {quoted(f'{word}_{name}')} AS "
                f"SELECT {key}, NULL::TIMESTAMPTZ AS deleted_at FROM {temp('existing', name)} LIMIT 0"
            )
        return Plan(staged, added=staged.accepted, removed=0, buried=0, unchanged=0)
    _compare(duck, staged, good)
    added, removed, buried, unchanged = (
        duck.value(f"SELECT count(*) FROM {temp(word, name)}") for word in ("fresh", "removed", "buried", "unchanged")
    )
    return Plan(staged, added, removed, buried, unchanged)


def _compare(duck: Duck, staged: Staged, good: str) -> None:
    """Decide row by row: older than what the lake holds, the same as it, a deletion, or news."""
    contract, name = staged.contract, staged.contract.name
    key_equal = " AND ".join(f"kept.{quoted(k)} = staged.{quoted(k)}" for k in contract.key)
    exists = f"kept.{quoted(contract.key[0])} IS NOT NULL"
    updated = f"staged.{quoted(contract.updated_column)}" if contract.updated_column else "NULL::TIMESTAMPTZ"
    kept_updated = f"kept.{quoted(contract.updated_column)}" if contract.updated_column else "NULL::TIMESTAMPTZ"
    row_key = "to_json([" + ", ".join(f"staged.{quoted(k)}::VARCHAR" for k in contract.key) + "])::VARCHAR"
    # Columns the file does not have keep what the lake holds, and so does the time of a row that tells none.
    values = [
        f"{_said(c, contract)} AS {quoted(c.name)}"
        if c.name in staged.present
        else f"CASE WHEN {exists} THEN kept.{quoted(c.name)} ELSE staged.{quoted(c.name)} END AS {quoted(c.name)}"
        for c in contract.columns
    ]
    same = " AND ".join(
        f"{_said(c, contract)} IS NOT DISTINCT FROM kept.{quoted(c.name)}"
        for c in contract.columns
        if c.name in staged.present
    )
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {quoted("compared_" + name)} AS
        SELECT
            {", ".join(values)},
            {exists} AS _exists,
            staged._deleted,
            CASE WHEN staged._deleted THEN coalesce({updated}, {kept_updated}) END AS deleted_at,
            {row_key} AS row_key,
            coalesce({updated} < {kept_updated}, false)
                OR coalesce({updated} <= graves.deleted_at, false)
                OR (NOT staged._deleted AND {exists} AND {same})
                OR (staged._deleted AND NOT ({exists}) AND {updated} IS NULL) AS _unchanged
        FROM {good} AS staged
        LEFT JOIN {temp("existing", name)} AS kept ON {key_equal}
        LEFT JOIN (
            SELECT row_key, max(deleted_at) AS deleted_at
            FROM {LAKE}.teal.tombstones WHERE dataset = $dataset GROUP BY row_key
        ) AS graves ON graves.row_key = {row_key}
        """,
        {"dataset": name},
    )
    key = ", ".join(quoted(column) for column in contract.key)
    columns = ", ".join(quoted(column.name) for column in contract.columns)
    parts = {
        "news": (columns, "NOT _unchanged AND NOT _deleted"),
        "removed": (key, "NOT _unchanged AND _exists"),
        "buried": ("row_key, deleted_at", "NOT _unchanged AND _deleted AND deleted_at IS NOT NULL"),
        "unchanged": (key, "_unchanged"),
    }
    for word, (wanted, condition) in parts.items():
        duck.execute(
            f"CREATE OR REPLACE TEMP TABLE {quoted(f'{word}_{name}')} AS "
            f"SELECT {wanted} FROM {temp('compared', name)} WHERE {condition}"
        )
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {quoted('fresh_' + name)} AS FROM {temp('news', name)}")


def _said(column: Column, contract: Contract) -> str:
    name = quoted(column.name)
    return f"coalesce(staged.{name}, kept.{name})" if column.name == contract.updated_column else f"staged.{name}"


def apply_merge(change: Change, plan: Plan, file_once: FileOnce, *, inline_rows: int) -> None:
    """Write what was planned into the lake, in the change's transaction."""
    duck, contract = change.duck, plan.staged.contract
    name, table = contract.name, lake_table(contract.name)
    if plan.removed:
        key_equal = " AND ".join(f"kept.{quoted(k)} = gone.{quoted(k)}" for k in contract.key)
        duck.execute(f"DELETE FROM {table} AS kept USING {temp('removed', name)} AS gone WHERE {key_equal}")
    if plan.only_adds and plan.added > inline_rows and not contract.partition:
        columns = ", ".join(quoted(column.name) for column in contract.columns)
        uri = file_once(plan.staged, f"SELECT {columns} FROM {temp('fresh', name)}")
        duck.execute(f"CALL ducklake_add_data_files('{LAKE}', $table, $uri)", {"table": name, "uri": uri})
    elif plan.added:
        duck.execute(f"INSERT INTO {table} BY NAME FROM {temp('fresh', name)}")
    if plan.buried:
        duck.execute(
            f"INSERT INTO {LAKE}.teal.tombstones SELECT $dataset, row_key, deleted_at FROM {temp('buried', name)}",
            {"dataset": name},
        )
    change.touched(name, added=plan.added, removed=plan.removed)


def lake_table(dataset: str) -> str:
    """The SQL name of a dataset's table in the lake of the current change."""
    return f"{LAKE}.main.{quoted(dataset)}"


def temp(word: str, dataset: str) -> str:
    """The SQL name of one of a merge's temporary tables."""
    return f"temp.{quoted(f'{word}_{dataset}')}"


def tables_with_rows(duck: Duck) -> frozenset[str]:
    """Tables of the lake that ever held a row, such as ``main.orders``; others need not be asked."""
    return frozenset(name for (name,) in duck.execute(statement("ingest/tables_with_rows")))


def _graves(duck: Duck, dataset: str) -> int:
    """How many deletions of the dataset are remembered."""
    sql = f"SELECT count(*) FROM {LAKE}.teal.tombstones WHERE dataset = $dataset"
    return int(duck.value(sql, {"dataset": dataset}))
