"""Parquet: DuckDB reads it in place; every column is shown as text, after all its pages were decoded once."""

from __future__ import annotations

from pathlib import Path

from shared.duck import Duck, OutOfMemoryError, literal, quoted
from shared.errors import AppError, EmptyFileError, UnreadableFileError, UploadTooLargeError
from shared.formats.table import TextTable, counted, unique_names

MAX_ROWS_PER_BYTE = 1_000
FREE_ROWS = 10_000_000
"""Run lengths let 700 bytes claim 300 million rows; up to this many nobody minds."""
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
    claimed = duck.value(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(path))})") or 0
    if not claimed:
        raise EmptyFileError("The Parquet file has columns but no rows.")
    if claimed > FREE_ROWS and claimed > path.stat().st_size * MAX_ROWS_PER_BYTE:
        raise UploadTooLargeError(f"The file claims {claimed:,} rows in {path.stat().st_size:,} bytes.")
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
