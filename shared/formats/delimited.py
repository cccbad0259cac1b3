"""CSV and its relatives: DuckDB reads the file itself when it provably reads it right, else a normalised copy."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from shared.duck import Duck, OutOfMemoryError, quoted
from shared.errors import AppError, EmptyFileError
from shared.formats.dialect import Dialect, sniff
from shared.formats.normal import NormalFile, csv_source
from shared.formats.records import Records, is_blank, lines_of
from shared.formats.streams import Text
from shared.formats.table import ReadOptions, TextTable, counted

SAMPLE_CHARACTERS = 1 << 17
LARGEST_SAMPLE_CHARACTERS = 1 << 20
LONGEST_SIMPLE_LINE = 1_000_000
"""In bytes. Buffers are twice as long: threads share a file of few megabytes; a longer line is read the checked way."""

_Found = tuple[int | None, int, tuple[str, ...]]
"""Rows (None when nobody counted them), rows with a problem, notes."""


def open_delimited(
    duck: Duck, text: Text, name: str, *, options: ReadOptions, work_dir: Path, checked: bool
) -> TextTable:
    """Make the view ``name``; see open_table for ``checked``. Raises EmptyFileError or UnreadableFileError."""
    dialect = _dialect(text, options)
    found: _Found = (None, 0, ())
    if checked or not _simple(duck, text, name, dialect):
        copy = work_dir / f"{name}.csv"
        found = _direct(duck, text, name, dialect) or _normalised(duck, text, dialect, options.skip_lines or 0, copy)
    rows, problems, notes = found
    if text.nul_bytes:
        notes = (*notes, f"{counted(text.nul_bytes, 'NUL byte')} {'was' if text.nul_bytes == 1 else 'were'} removed.")
    return TextTable(
        columns=dialect.names,
        kind="csv",
        rows=rows,
        problems=problems,
        decimal=dialect.decimal,
        compression=text.compression,
        encoding=text.encoding,
        delimiter=dialect.shape.delimiter if len(dialect.names) > 1 else "",
        notes=(*text.notes, *dialect.notes, *notes),
        long_fractions=dialect.long_fractions,
    )


def _dialect(text: Text, options: ReadOptions) -> Dialect:
    size = SAMPLE_CHARACTERS
    while True:
        with text.open() as stream:
            sample = stream.read(size)
            whole = not stream.read(1)
        # A few long records say little about the width; look further before deciding.
        if whole or size >= LARGEST_SAMPLE_CHARACTERS or sample.count("\n") + sample.count("\r") >= 20:
            return sniff(sample, options, whole=whole)
        size = LARGEST_SAMPLE_CHARACTERS


def _simple(duck: Duck, text: Text, name: str, dialect: Dialect) -> bool:
    """The view over a file in which every line is a record, not read through; False when there is more to it."""
    if text.quotes or dialect.shape.quote != '"' or not _readable_by_duckdb(text, dialect):
        return False
    read = _source(text, dialect, parallel=True, longest_line=LONGEST_SIMPLE_LINE)
    try:
        if not _agrees(duck.execute(f"SELECT * FROM {read} LIMIT {len(dialect.rows)}"), dialect):
            return False
    except AppError:
        return False  # the checked way says what is wrong
    duck.execute(_view(name, dialect, read))
    return True


def _direct(duck: Duck, text: Text, name: str, dialect: Dialect) -> _Found | None:
    """The view over the file itself, if DuckDB's strict reader gets through all of it and agrees with our tokenizer.

    None when it cannot be sure: line ends that are mixed or old Mac, escapes, comments, NULs, ragged rows.
    """
    if not _readable_by_duckdb(text, dialect):
        return None
    none_filled = " AND ".join(f"{field} IS NULL" for field in _fields(dialect))
    try:
        for parallel in (True, False):
            read = _source(text, dialect, parallel=parallel)
            rows, blank = duck.execute(f"SELECT count(*), count(*) FILTER ({none_filled}) FROM {read}")[0]
            # As many rows as lines: no quoted line end, nothing that reading in parallel could split wrongly.
            if rows in (text.line_feeds - dialect.first_line + 1, text.line_feeds - dialect.first_line + 2):
                break
        else:
            if _quoted_line_ends_everywhere(text, rows):
                return None
        where = f" WHERE NOT ({none_filled})" if blank else ""
        if not _agrees(duck.execute(f"SELECT * FROM {read}{where} LIMIT {len(dialect.rows)}"), dialect):
            return None
        if rows == blank:
            raise EmptyFileError("The file has a header but no rows.")
        duck.execute(_view(name, dialect, read + where))
    except (EmptyFileError, OutOfMemoryError):
        raise
    except AppError:
        return None  # ragged rows, stray quotes: the normaliser finds each of them and says what is wrong
    return rows - blank, 0, ()


def _readable_by_duckdb(text: Text, dialect: Dialect) -> bool:
    shape = dialect.shape
    one_line_end = not text.carriage_returns or text.carriage_returns == text.pairs == text.line_feeds
    plain = text.utf8 and one_line_end and dialect.plain_start and not text.nul_bytes
    return plain and not (shape.escape or shape.comment or shape.skip_blanks or len(shape.delimiter) > 1)


def _fields(dialect: Dialect) -> list[str]:
    return [f"c{i}" for i in range(len(dialect.names))]


def _source(text: Text, dialect: Dialect, *, parallel: bool, longest_line: int = 8_000_000) -> str:
    return csv_source(
        text.path,
        _fields(dialect),
        delimiter=dialect.shape.delimiter,
        quote=dialect.shape.quote,
        skip=dialect.first_line - 1,
        compression=text.compression,
        parallel=parallel,
        longest_line=longest_line,
    )


def _view(name: str, dialect: Dialect, read: str) -> str:
    columns = zip(_fields(dialect), dialect.names, strict=True)
    shown = ", ".join(f"{field} AS {quoted(column)}" for field, column in columns)
    return f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {shown} FROM {read}"


def _quoted_line_ends_everywhere(text: Text, rows: int) -> bool:
    """Many more lines than rows smells of one quote that swallowed a part of the file: every record is looked at."""
    return text.line_feeds > 100 * (rows + 10)


def _agrees(read: list[tuple[str | None, ...]], dialect: Dialect) -> bool:
    width = len(dialect.names)
    expected = [tuple(cell or None for cell in r.cells[:width]) for r in dialect.rows]
    return read == expected and all(len(r.cells) == width and not r.problem for r in dialect.rows)


def _normalised(duck: Duck, text: Text, dialect: Dialect, skip: int, copy: Path) -> _Found:
    """The view, named as ``copy`` is, over a clean copy of the text without its first ``skip`` lines."""
    width, surplus = len(dialect.names), 0
    with NormalFile(copy) as out, text.open() as stream:
        lines = (line.replace("\0", "") for line in lines_of(stream)) if text.nul_bytes else lines_of(stream)
        records = Records(islice(lines, skip, None), dialect.shape, first_line=skip + 1)
        for record in records:
            if record.line < dialect.first_line or is_blank(record):
                continue
            cells = record.cells
            if record.problem:
                out.write_problem(record.line, record.problem, record.original)
            elif len(cells) == width:
                out.write(record.line, cells)
            elif len(cells) > width and not any(cells[width:]):
                surplus += 1
                out.write(record.line, cells[:width])
            else:
                problem = f"{counted(len(cells), 'cell')} where the header has {width}"
                out.write_problem(record.line, problem, record.original)
    if not out.rows:
        raise EmptyFileError("The file has a header but no rows.")
    notes = out.open(duck, copy.stem, dialect.names)
    if surplus:
        notes = (*notes, f"{counted(surplus, 'row')} had empty cells after the last column.")
    return out.rows, out.problems, notes
