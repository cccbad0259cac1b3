"""What reading a file takes and gives: options in, a description of the text table out; no bytes, no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.errors import UnreadableFileError

Decimal = Literal[".", ","]
DateOrder = Literal["dmy", "mdy", "ymd"]

MAX_COLUMNS = 1_000
"""Wider files take DuckDB's memory by their width alone (100,000 columns: out of memory)."""

SERVICE_COLUMNS = ("_problem", "_line", "_original")
"""Added to a table in which a row could not be split into cells."""


@dataclass(frozen=True)
class ReadOptions:
    """What the sender knows about the file; whatever is None is found out.

    ``escape`` is a backslash or the quote itself; ``skip_lines`` counts lines before the header (or the first row);
    ``header_row`` is the 1-based row of a sheet; ``quote`` "" means that quotes are plain text.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    comment: str | None = None
    header: bool | None = None
    skip_lines: int | None = None
    header_row: int | None = None
    sheet: str | None = None
    decimal: Decimal | None = None
    date_order: DateOrder | None = None


@dataclass(frozen=True)
class TextTable:
    """A file that is now a table of text in DuckDB, and what was found out or assumed on the way.

    ``notes`` are sentences for people. ``types`` are the file's own column types where it has some (Parquet).
    ``rows`` counts rows including those with a problem; ``problems`` counts the latter.
    """

    columns: tuple[str, ...]
    kind: Literal["csv", "json", "ndjson", "parquet", "xlsx"]
    rows: int
    problems: int = 0
    decimal: Decimal = "."
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[str, ...] = ()
    types: dict[str, str] | None = None


def unique_names(header: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Usable column names and notes on what was renamed: blanks become column_3, repetitions id_1, id_2.

    SQL compares names without case, so ``ID`` after ``id`` is a repetition. Raises UnreadableFileError above
    MAX_COLUMNS.
    """
    wanted = [" ".join(name.replace("\0", "").split()) for name in header]
    if len(wanted) > MAX_COLUMNS:
        raise UnreadableFileError(f"The file has {len(wanted):,} columns; at most {MAX_COLUMNS:,} can be read.")
    taken = {name.lower() for name in (*wanted, *SERVICE_COLUMNS)}
    names: list[str] = []
    seen: set[str] = set(SERVICE_COLUMNS)
    notes: list[str] = []
    for position, name in enumerate(wanted, start=1):
        base = name or f"column_{position}"
        final, number = base, 0
        while final.lower() in seen or (final != name and final.lower() in taken):
            number += 1
            final = f"{base}_{number}"
        if not name:
            notes.append(f"Column {position} has no name and is called {final}.")
        elif final != name:
            notes.append(f"Column {position} is called {final}, since the name {name} is taken.")
        seen.add(final.lower())
        names.append(final)
    return tuple(names), tuple(notes)


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
