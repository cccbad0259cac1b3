"""Any honest table file becomes a table of text in DuckDB; which format it is says its bytes, not its name."""

from __future__ import annotations

from pathlib import Path

from shared.duck import Duck, literal, quoted
from shared.errors import AppError, EmptyFileError, UnreadableFileError
from shared.formats.delimited import open_delimited
from shared.formats.documents import open_json
from shared.formats.sheets import open_sheet
from shared.formats.streams import compression_of, head_of, readable, text_of
from shared.formats.table import MAX_COLUMNS, ReadOptions, TextTable


def open_table(duck: Duck, path: Path, name: str, *, options: ReadOptions, work_dir: Path, filename: str) -> TextTable:
    """Make the temporary view ``name``: every column as VARCHAR, empty cells NULL, rows in the file's order.

    Columns ``_problem``, ``_line`` and ``_original`` are there when a row could not be split into cells. Raises
    EmptyFileError or UnreadableFileError.
    """
    if not path.stat().st_size:
        raise EmptyFileError("The file is empty.")
    with readable():
        compression = compression_of(path)
        head = head_of(path, compression, 4_096)
        if head.startswith(b"PAR1"):
            return _open_parquet(duck, path, name)
        if head.startswith(b"PK\x03\x04"):
            return open_sheet(duck, path, name, options=options, work_dir=work_dir)
        text = text_of(path, compression, options.encoding)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            return open_json(duck, text, name, work_dir=work_dir)
        return open_delimited(duck, text, name, options=options, work_dir=work_dir)


def _open_parquet(duck: Duck, path: Path, name: str) -> TextTable:
    source = f"read_parquet({literal(str(path))})"
    try:
        types = {row[0]: row[1] for row in duck.execute(f"DESCRIBE SELECT * FROM {source}")}
        rows = int(duck.value(f"SELECT count(*) FROM {source}"))
    except AppError as error:
        raise UnreadableFileError("The Parquet file is damaged: its footer cannot be read.") from error
    if len(types) > MAX_COLUMNS:
        raise UnreadableFileError(f"The file has {len(types):,} columns; at most {MAX_COLUMNS:,} can be read.")
    if not rows:
        raise EmptyFileError("The Parquet file has no rows.")
    columns = ", ".join(f"{quoted(column)}::VARCHAR AS {quoted(column)}" for column in types)
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {columns} FROM {source}")
    return TextTable(columns=tuple(types), kind="parquet", rows=rows, types=types)
