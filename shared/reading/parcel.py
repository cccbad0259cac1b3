"""What a cell leaves in its folder: a Parquet file of every staged dataset, and how its owner shows these as tables.

The rule: the owner makes all names itself, and takes no file that is not what it was told to be.
"""

from __future__ import annotations

import stat
from pathlib import Path

from shared.duck import Duck, literal, quoted
from shared.errors import AppError
from shared.steps.judge import Staged
from shared.steps.rules import HELD_TYPE, NEVER_HELD

_ADDED = {"_row": "BIGINT", "_deleted": "BOOLEAN", "_held": HELD_TYPE, "_original": "VARCHAR", "_duplicate": "BOOLEAN"}
"""The columns of a staged row beside the contract's; a clean file has none of them."""
_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
"""What DuckDB calls a type when it is asked, where that is another name."""


class WrongParcelError(Exception):
    """A file in the folder is not what was said of it."""


def pack(duck: Duck, staged: Staged, folder: Path) -> None:
    """Write a dataset's rows as a file into the folder, where they are not there already."""
    path = _path(folder, staged)
    if staged.file is not None:
        staged.file.rename(path)
        return
    names = ", ".join(quoted(column.name) for column in staged.contract.columns)
    added = ", ".join(name for name in _ADDED if name != "_row")
    duck.execute(
        f"COPY (SELECT {names}, {staged.row_number} AS _row, {added} FROM {staged.table}) "
        f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)"
    )


def show(duck: Duck, staged: Staged, folder: Path) -> Staged:
    """The same dataset over its file in the folder. Raises WrongParcelError."""
    path = _path(folder, staged)
    source = f"read_parquet({literal(str(path))})"
    is_clean = staged.file is not None
    columns = {column.name: _TYPES.get(column.sql_type, column.sql_type) for column in staged.contract.columns}
    columns |= {} if is_clean else _ADDED
    try:
        found = path.lstat()
        # Neither a link to another file nor a second name of one.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise WrongParcelError("this is no file of the cell's own")
        if duck.columns(f"(FROM {source})") != columns:
            raise WrongParcelError("these are not the columns of the contract")
        if duck.value(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(path))})") != staged.received:
            raise WrongParcelError("these are not as many rows as were told")
    except (OSError, AppError) as error:
        raise WrongParcelError("the file cannot be read") from error
    view = quoted(f"read_{staged.contract.name}")
    always = f", false AS _deleted, {NEVER_HELD} AS _held, false AS _duplicate" if is_clean else ""
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT *{always} FROM {source}")
    return Staged(
        contract=staged.contract,
        table=f"temp.{view}",
        present=staged.present,
        row_number="NULL" if is_clean else "_row",
        received=staged.received,
        held=staged.held,
        duplicate=staged.duplicate,
        deletes=staged.deletes,
        file=path if is_clean else None,
        statistics=staged.statistics,
    )


def _path(folder: Path, staged: Staged) -> Path:
    return folder / f"{staged.contract.name}.read"
