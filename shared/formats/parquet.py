"""Parquet: DuckDB reads it in place; every column is shown as text, after all its pages were decoded once."""

from __future__ import annotations

from pathlib import Path

from shared.duck import Duck, OutOfMemoryError, literal, quoted
from shared.errors import AppError, EmptyFileError, UnreadableFileError, UploadTooLargeError
from shared.formats.json_source import MAX_DEPTH
from shared.formats.streams import EXPANSION_FLOOR_BYTES, MAX_EXPANSION
from shared.formats.table import MAX_COLUMNS, TextTable, counted, unique_names

MAX_ROWS_PER_BYTE = 1_000
FREE_ROWS = 10_000_000
"""Run lengths let 700 bytes claim 300 million rows; up to this many nobody minds."""
MAX_CHUNKS = 2_000_000
"""Columns times row groups; DuckDB takes a kilobyte for each before it reads a row."""
FREE_GROUPS = 10_000
MIN_ROWS_PER_GROUP = 100
"""Each group is opened on its own: an honest file of many has a hundred thousand rows in each."""
MAX_NODES = 100_000
"""Columns and the structures around them."""
_NESTED = ("STRUCT", "MAP", "UNION")


def open_parquet(duck: Duck, path: Path, name: str, *, compression: str) -> TextTable:
    """Make the view ``name``. Raises UnreadableFileError (damaged), EmptyFileError, UploadTooLargeError (a bomb)."""
    try:
        return _open(duck, path, name, compression)
    except (UnreadableFileError, EmptyFileError, UploadTooLargeError, OutOfMemoryError):
        raise
    except AppError as error:
        raise UnreadableFileError("The Parquet file is damaged or of a kind that is not read here.") from error


def _open(duck: Duck, path: Path, name: str, compression: str) -> TextTable:
    source = f"read_parquet({literal(str(path))})"
    _refuse_by_footer(duck, path)
    types = duck.columns(f"(FROM {source})")
    names, notes = unique_names(types)
    far = _columns_of_96_bits(duck, path, types)
    outside = " OR ".join(f"coalesce({_out_of_range(column)}, false)" for column in far) or "false"
    with_nul = " OR ".join(f"contains({quoted(column)}, chr(0))" for column, kind in types.items() if kind == "VARCHAR")
    empty = " AND ".join(f"{quoted(column)} IS NULL" for column in types)
    # The hash needs every value, so a damaged page is found here and not by whoever reads the view.
    rows, blank, wrapped, nul, _ = duck.execute(
        f"SELECT count(*), count(*) FILTER ({empty}), count(*) FILTER ({outside}), "
        f"count(*) FILTER ({with_nul or 'false'}), "
        f"bit_xor(hash({', '.join(map(quoted, types))})) FROM {source}"
    )[0]
    if rows == blank:
        raise EmptyFileError("All rows of the Parquet file are empty.")
    if wrapped:
        notes = (*notes, f"{counted(wrapped, 'row')} {'has' if wrapped == 1 else 'have'} a time far out of range.")
    if nul:
        notes = (*notes, f"NUL characters in {counted(nul, 'row')} were removed.")
    texts = [_text(column, kind, column in far) for column, kind in types.items()]
    shown = ", ".join(f"{text} AS {quoted(column)}" for text, column in zip(texts, names, strict=True))
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {shown} FROM {source}")
    return TextTable(
        columns=names,
        kind="parquet",
        rows=rows,
        compression=compression,
        notes=notes,
        types=dict(zip(names, types.values(), strict=True)),
    )


def _refuse_by_footer(duck: Duck, path: Path) -> None:
    """What a file says of itself is looked at before a page of it is read.

    Raises EmptyFileError, UnreadableFileError and UploadTooLargeError.
    """
    file, stored = literal(str(path)), path.stat().st_size
    rows, groups, cipher = duck.execute(
        f"SELECT num_rows, num_row_groups, encryption_algorithm FROM parquet_file_metadata({file})"
    )[0]
    if cipher:
        raise UnreadableFileError("The Parquet file is encrypted.")
    if not rows:
        raise EmptyFileError("The Parquet file has columns but no rows.")
    if rows > FREE_ROWS and rows > stored * MAX_ROWS_PER_BYTE:
        raise UploadTooLargeError(f"The file claims {rows:,} rows in {stored:,} bytes.")
    nodes = duck.value(f"SELECT count(*) FROM parquet_schema({file})")
    if nodes > MAX_NODES:
        raise UnreadableFileError(f"The file has more than {MAX_NODES:,} columns.")
    columns = _require_flat(duck.execute(f"SELECT num_children FROM parquet_schema({file})"))
    if columns > MAX_COLUMNS:
        raise UnreadableFileError(f"The file has {columns:,} columns; at most {MAX_COLUMNS:,} can be read.")
    if nodes * groups > MAX_CHUNKS or (groups > FREE_GROUPS and rows < groups * MIN_ROWS_PER_GROUP):
        raise UploadTooLargeError(f"The file has {groups:,} row groups of {columns:,} columns; write larger ones.")
    unpacked = duck.value(f"SELECT sum(total_uncompressed_size) FROM parquet_metadata({file})") or 0
    if unpacked > max(EXPANSION_FLOOR_BYTES, stored * MAX_EXPANSION):
        raise UploadTooLargeError(f"The file grows more than {MAX_EXPANSION} times when decompressed.")


def _require_flat(children: list[tuple[int | None]]) -> int:
    """How many columns a schema has, told by how many parts each of its nodes has, parents first.

    Raises UnreadableFileError where it is nested deeper than any honest one.
    """
    columns = 0
    waiting: list[int] = []
    for (parts,) in children:
        columns += len(waiting) == 1
        if waiting:
            waiting[-1] -= 1
        if parts:
            waiting.append(parts)
            if len(waiting) > MAX_DEPTH:
                raise UnreadableFileError(f"A column is nested more than {MAX_DEPTH} levels deep.")
        while waiting and not waiting[-1]:
            waiting.pop()
    return columns


def _columns_of_96_bits(duck: Duck, path: Path, types: dict[str, str]) -> frozenset[str]:
    stored = duck.execute(f"SELECT name FROM parquet_schema({literal(str(path))}) WHERE type = 'INT96'")
    return frozenset(name for (name,) in stored if types.get(name, "").startswith("TIMESTAMP"))


def _out_of_range(column: str) -> str:
    """An INT96 counts days and nanoseconds; DuckDB's microseconds wrap round some 290,000 years away from 1970."""
    return f"year({quoted(column)}) NOT BETWEEN 1 AND 9999"


def _text(column: str, kind: str, far: bool) -> str:
    if kind.endswith("]") or kind.startswith(_NESTED):
        return f"CAST(to_json({quoted(column)}) AS VARCHAR)"
    # No text has a NUL here, whatever the format: DuckLake 1.0 fails on a key with one.
    cell = f"replace({quoted(column)}, chr(0), '')" if kind == "VARCHAR" else f"CAST({quoted(column)} AS VARCHAR)"
    text = f"nullif({cell}, '')"
    # Words that no cast takes for a time: the row is held with them, instead of loaded with another date.
    return f"CASE WHEN {_out_of_range(column)} THEN 'out of range: ' || {text} ELSE {text} END" if far else text
