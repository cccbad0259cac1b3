"""Writes held rows beside the lake, each with its place, column, rule and original text: nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.catalog.stored import lake_prefix
from shared.duck import Duck, literal
from shared.sql.load import statement
from shared.steps.judge import Staged
from shared.storage.base import ObjectStore


def held_key(tenant: str, upload_id: str, again: str = "") -> str:
    """Where an upload's held rows are; ``again`` is for other ones, since readers keep what they read of a file."""
    return f"{lake_prefix(tenant)}held/{upload_id}{again and '.'}{again}.parquet"


def held_now(store: ObjectStore, tenant: str, upload_id: str) -> str | None:
    """The key under which an upload's held rows are now; None when there are none."""
    found = store.list(f"{lake_prefix(tenant)}held/{upload_id}.")
    return max(((info.modified_at, info.key) for info in found), default=(None, None))[1]


def write_held_rows(
    duck: Duck, store: ObjectStore, key: str, staged: Sequence[Staged], primary: int, *, whole: str = ""
) -> None:
    """Put all held rows of an upload into one Parquet file at ``key``; none is written when none was held.

    Columns: row_number (1-based data row of the file, NULL for rows derived from several), dataset, column_name, rule,
    text (of that column), original (the whole row as JSON, or the raw line that could not be split). ``whole`` is the
    code of the reason for which the upload is held as a whole: then the rows of the file that break no rule follow,
    each with its place and this reason for a rule.
    """
    if not whole and not any(one.held for one in staged):
        return
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE held_rows "
        "(row_number BIGINT, dataset VARCHAR, column_name VARCHAR, rule VARCHAR, text VARCHAR, original VARCHAR)"
    )
    for position, one in enumerate(staged):
        if not one.held:
            continue
        columns = ", ".join(f'"{column.name}"' for column in one.contract.columns)
        duck.execute(
            f"CREATE OR REPLACE TEMP VIEW held_now AS "
            f"SELECT {one.row_number} AS row_number, _held AS held, "
            f"coalesce(_original, to_json((SELECT row_ FROM (SELECT {columns}) AS row_))::VARCHAR) AS original "
            f"FROM {one.table} WHERE _held IS NOT NULL"
        )
        duck.execute(
            f"INSERT INTO held_rows {statement('ingest/held_rows')}",
            {"is_primary": position == primary, "dataset": one.contract.name},
        )
    if whole:
        _add_rows_without_fault(duck, staged[primary], whole)
    with TemporaryDirectory(prefix="teal-held-") as folder:
        path = Path(folder) / "held.parquet"
        duck.execute(f"COPY held_rows TO {literal(str(path))} (FORMAT parquet)")
        store.put_file(key, path, content_type="application/vnd.apache.parquet")


def _add_rows_without_fault(duck: Duck, staged: Staged, reason: str) -> None:
    # A clean file's rows are in the file's order and have no number of their own.
    numbered = f"SELECT unnest(range(1, {staged.received + 1})) AS row_number"
    if staged.file is None:
        numbered = f"SELECT {staged.row_number} AS row_number FROM {staged.table} WHERE _held IS NULL"
    duck.execute(
        f"INSERT INTO held_rows {statement('ingest/held_with_them').replace('[numbered]', numbered)}",
        {"dataset": staged.contract.name, "reason": reason},
    )
